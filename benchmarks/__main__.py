"""`python -m benchmarks [NAME...]`: runs the modules here that have a `main()`, all or those named."""

import importlib
import pkgutil
import sys

import benchmarks

NO_BENCHMARKS = {"__main__", "sidebyside", "soak"}


def names() -> list[str]:
    found = [module.name for module in pkgutil.iter_modules(benchmarks.__path__)]
    return sorted(set(found) - NO_BENCHMARKS)


def main(argv: list[str]) -> int:
    unknown = sorted(set(argv) - set(names()))
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(names())}", file=sys.stderr)
        return 2
    missed = 0
    for name in argv or names():
        module = importlib.import_module(f"benchmarks.{name}")
        if not hasattr(module, "main"):
            continue
        print(f"== {name}: {(module.__doc__ or '').strip().splitlines()[0]}", flush=True)
        missed += module.main() or 0
        print(flush=True)
    print(f"{missed} goals missed" if missed else "every goal is met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
