"""The entry point. `health` does not import the engine: it runs every few seconds."""

import sys


def main() -> int:
    if len(sys.argv) > 1 and sys.argv[1] == "health":
        from orchestrator.health import probe

        probe.leave(sys.argv[2:])
    from orchestrator import cli
    from orchestrator.system import stdio

    stdio.complete()
    return cli.main(sys.argv[1:])


def _without_the_directory() -> None:
    """`python -m` looks for modules in the working directory first, which perhaps others can write."""
    import os

    if not sys.flags.safe_path and sys.path[0] in ("", os.getcwd()):
        del sys.path[0]


if __name__ == "__main__":
    _without_the_directory()
    sys.exit(main())
