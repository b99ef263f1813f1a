"""Full text search over the bookmarks: an optional part, which the app can live without."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.store import Store

_WORD = re.compile(r"\w+")


def find(store: Store, words: str, limit: int) -> list[dict[str, Any]]:
    """Bookmarks that have all the words in their title, notes, tags or URL; beginnings of words count."""
    expression = _expression(words)
    return store.matching(expression, limit) if expression else []


def _expression(words: str) -> str:
    # Quoted, so that nothing a visitor types is an operator of the query language.
    return " ".join(f'"{word}"*' for word in _WORD.findall(words))
