"""Starts a Python web service in a container by a contract.

Importing this package imports nothing else: the health probe and `from orchestrator import startup` pay only for what
they use.
"""

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name == "startup":
        import importlib

        return importlib.import_module("orchestrator.startup")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
