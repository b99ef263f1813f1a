"""Regular expressions that are compiled at their first use: a start needs few of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:

    def pattern(text: str) -> re.Pattern[str]: ...

else:

    class pattern:  # noqa: N801 - stands for a function
        """`re.compile`, deferred."""

        def __init__(self, text: str) -> None:
            self._text = text

        def __getattr__(self, name: str) -> Any:
            compiled = re.compile(self._text)
            for method in ("match", "fullmatch", "search", "findall", "finditer", "sub", "pattern"):
                setattr(self, method, getattr(compiled, method))
            return getattr(compiled, name)
