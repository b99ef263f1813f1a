"""How validators are built: strictly, on first use, and without the plug-ins of pydantic."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLUGINS = "PYDANTIC_DISABLE_PLUGINS"


@contextmanager
def without_plugins() -> Iterator[None]:
    """Keeps pydantic's plug-ins out while a validator is built: they are the app's, and the engine may be root."""
    before = os.environ.get(_PLUGINS)
    os.environ[_PLUGINS] = "__all__"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_PLUGINS]
        else:
            os.environ[_PLUGINS] = before


def adapter(annotation: Any) -> TypeAdapter[Any]:
    """The validator of a type; a model has rules of its own."""
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    with without_plugins():
        return TypeAdapter(annotation, config=None if is_model else ConfigDict(strict=True))
