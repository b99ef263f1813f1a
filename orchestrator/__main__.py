"""The command. `health` is answered without importing the engine: it runs for the container's whole life."""

import sys


def main() -> int:
    if len(sys.argv) > 1 and sys.argv[1] == "health":
        from orchestrator.health import probe

        probe.leave(sys.argv[2:])
    from orchestrator import cli
    from orchestrator.system import stdio

    stdio.complete()
    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
