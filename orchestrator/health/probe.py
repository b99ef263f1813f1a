"""`orchestrator health`: 0 or 1 and a line of why, for HEALTHCHECK and exec probes.

Stands alone as `python -I -S .../orchestrator/health/probe.py [NAME]`, and imports next to nothing: it runs
every few seconds for the container's whole life. What it knows of the engine stands in the file `probe` of
the state directory, in lines of words (`orchestrator.status.state` writes them, `.judging` reads them):

    status ready                  starting, ready, degraded, maintenance, stopping, stopped or failed
    reason waiting for db         what to say beside the status; may be empty
    pid 1                         the engine's process
    updated 1732311111            when the status was set
    endpoint NAME http HOST PORT METHOD TARGET STATUSES TIMEOUT HOST-HEADER
    endpoint NAME https ...       the same; any certificate is taken, as by a kubelet
    endpoint NAME unix SOCKET - METHOD TARGET STATUSES TIMEOUT HOST-HEADER
    endpoint NAME heartbeat FILE MAX-AGE
    endpoint NAME command         judged by the engine alone: its last verdict counts
    header NAME X-Probe: 1        one more header for the request
    verdict NAME ok|failed expires=1732311141 TEXT

Words are parted by single blanks; within a word, blanks, control characters and `%` are percent-encoded, and
`-` is nothing. STATUSES is `200-299` or `200,204,300-399`. A verdict stands there when the engine watches an
endpoint whose expectation is more than a status; expired, it is not ok. Unknown keys are skipped, so that the
format can grow.
"""

import posix
import sys


def main(argv: list[str]) -> int:
    """Runs the command and gives its exit code: 0 or 1, nothing else, whatever happens."""
    try:
        from orchestrator.health.command import run

        code, text = run(argv)
    except (Exception, KeyboardInterrupt) as error:
        code, text = 1, f"health: cannot tell: {type(error).__name__}: {error}"
    try:
        posix.write(1, text.encode("utf-8", "backslashreplace") + b"\n")
    except OSError:
        return code  # nobody reads: the exit code is the answer all the same
    return code


def leave(argv: list[str]) -> None:
    """`main`, then the process ends at once: taking the interpreter apart is a seventh of a probe's cost."""
    posix._exit(main(argv))  # noqa: SLF001 -- it is public in spirit: `os._exit`


def ask(family: int, address: str | tuple[str, int], request: bytes, timeout: float) -> tuple[int, str]:
    """The status of an HTTP answer, or 0 and why: what `orchestrator.health.http_probe.ask` says."""
    from orchestrator.health import http_probe

    return http_probe.ask(family, address, request, timeout)


if __name__ == "__main__":
    # The byte code of a script is not kept, that of modules is: hence so little here, the rest imported.
    sys.path.insert(0, __file__.rpartition("/")[0] + "/../..")
    leave(sys.argv[1:])
