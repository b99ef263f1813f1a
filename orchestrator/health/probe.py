"""`orchestrator health`: 0 or 1 and a line of why, for HEALTHCHECK and exec probes.

Also runs as `python -I -S .../orchestrator/health/probe.py [NAME]`, and imports next to nothing: it runs every few
seconds for the container's whole life. It reads the engine's state from the file `probe` in the state directory, which
has lines of words (`orchestrator.status.state` writes them, `.probe_verdict` reads them):

    status ready                  starting, ready, degraded, maintenance, stopping, stopped or failed
    reason waiting for db         may be empty
    pid 1                         the engine's process
    updated 1732311111            when the status was set
    endpoint NAME http HOST PORT METHOD TARGET STATUSES TIMEOUT HOST-HEADER
    endpoint NAME https ...       the same; any certificate is accepted, as by a kubelet
    endpoint NAME unix SOCKET - METHOD TARGET STATUSES TIMEOUT HOST-HEADER
    endpoint NAME heartbeat FILE MAX-AGE
    endpoint NAME command         only the engine runs it: its last verdict counts
    header NAME X-Probe: 1        one more header for the request
    verdict NAME ok|failed expires=1732311141 TEXT

Words are separated by single blanks; within a word, blanks, control characters and `%` are percent-encoded; `-` is
empty. STATUSES is `200-299` or `200,204,300-399`. There is a verdict when the engine watches an endpoint that expects
more than a status; an expired one is not ok. Unknown keys are skipped, so that the format can grow.
"""

import posix
import sys


def main(argv: list[str]) -> int:
    """Runs the command; its exit code is 0 or 1, whatever happens."""
    try:
        from orchestrator.health.command import run

        code, text = run(argv)
    except (Exception, KeyboardInterrupt) as error:
        code, text = 1, f"health: unknown: {type(error).__name__}: {error}"
    try:
        posix.write(1, text.encode("utf-8", "backslashreplace") + b"\n")
    except OSError:
        return code  # nobody reads it; the exit code is what counts
    return code


def leave(argv: list[str]) -> None:
    """`main`, then exit at once: interpreter shutdown is a seventh of a probe's cost."""
    posix._exit(main(argv))  # noqa: SLF001 -- it is public in spirit: `os._exit`


if __name__ == "__main__":
    # Byte code of a script is not cached, that of modules is: hence so little code here.
    sys.path.insert(0, __file__.rpartition("/")[0] + "/../..")
    leave(sys.argv[1:])
