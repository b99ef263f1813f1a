"""The command line of `orchestrator health`: its arguments, exit code and one line of output."""

import posix
import sys

from orchestrator.health.probe_verdict import judge

USAGE = """usage: orchestrator health [NAME] [--url URL]

Asks a health endpoint of the running service. Exits 0 if it is healthy, 1 if not or unknown; one line says why.

  NAME       the endpoint: ready (default), live, or one from `health.endpoints`
  --url URL  ask this http or https URL instead; the status of a running engine still counts"""


def run(argv: list[str]) -> tuple[int, str]:
    """The exit code and what to print."""
    name, url = "", ""
    words = list(argv)
    while words:
        word = words.pop(0)
        if word in {"-h", "--help"}:
            return 0, USAGE
        if word == "--url" and words:
            url = words.pop(0)
        elif word.startswith("--url="):
            url = word[6:]
        elif word.startswith("-") or not word or name:
            return 1, f"health: unexpected argument `{word}`; usage: orchestrator health [NAME] [--url URL]"
        else:
            name = word
    healthy, why = judge(name or "ready", url, named_directory())
    return int(not healthy), f"{name or 'ready'}: {' '.join(why.split())}"


def named_directory() -> str | None:
    """The state directory that the environment names."""
    # Does not import `os`; if it is imported already, its environment is the current one.
    known = getattr(sys.modules.get("os"), "environb", posix.environ)
    value = known.get(b"ORCHESTRATOR_STATE_DIR")
    return value.decode("utf-8", "surrogateescape") if value else None
