"""The words of `orchestrator health`: what is asked for, and the one line that answers. Knows no sockets."""

import posix
import sys

from orchestrator.health.probe_verdict import judge

USAGE = """usage: orchestrator health [NAME] [--url URL]

Asks a health endpoint of the running service. 0: well; 1: not, or not known. One line says why.

  NAME       the endpoint: ready (default), live, or one from `health.endpoints`
  --url URL  ask this http or https URL instead; the service's status counts where an engine runs here"""


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
            return 1, f"health: cannot understand `{word}`: orchestrator health [NAME] [--url URL]"
        else:
            name = word
    well, why = judge(name or "ready", url, named_directory())
    return int(not well), f"{name or 'ready'}: {' '.join(why.split())}"


def named_directory() -> str | None:
    """The state directory that the environment names."""
    # `os` is not imported for this; where it is already, its environment is the one that can be changed.
    known = getattr(sys.modules.get("os"), "environb", posix.environ)
    value = known.get(b"ORCHESTRATOR_STATE_DIR")
    return value.decode("utf-8", "surrogateescape") if value else None
