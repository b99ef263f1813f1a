"""The spec: located tree to typed models.

`from orchestrator.spec import load` gives a typed `Spec`, or a `SpecError` with every diagnostic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.spec.loading import Loaded, SpecError, load, load_files, load_text
    from orchestrator.spec.spec import Spec

__all__ = ["Loaded", "Spec", "SpecError", "load", "load_files", "load_text"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(
        import_module("orchestrator.spec.spec" if name == "Spec" else "orchestrator.spec.loading"), name
    )
