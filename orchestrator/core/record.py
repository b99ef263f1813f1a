"""Records: named values that a state is made of."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self


class Record:
    """Named values, each of them a builtin."""

    __slots__: tuple[str, ...] = ()

    def dump(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def load(cls, data: dict[str, Any]) -> Self:
        made = cls.__new__(cls)
        for name in cls.__slots__:
            setattr(made, name, data[name])
        return made
