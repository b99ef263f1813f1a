"""What all requirements share."""

from typing import TYPE_CHECKING, Any, ClassVar

from orchestrator.core.outcome import Outcome, ok
from orchestrator.spec.item import Item

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orchestrator.core.context import Context


COMMON = frozenset(Item.model_fields)
"""The fields that every item has."""


class Requirement(Item):
    """Something that must be true before the service may serve."""

    identity_field: ClassVar[str] = ""
    """The field by which items of overlays are matched, and which names the item."""
    use: ClassVar[str] = ""
    """The field that the fallback action `use` replaces; empty: it cannot stand here."""

    @property
    def title(self) -> str:
        return str(getattr(self, self.identity_field)) if self.identity_field else ""

    @classmethod
    def identify(cls, data: Any) -> str | None:
        """What an overlay matches an item by: its id, else its name or what it names."""
        if isinstance(data, str):
            return data
        if isinstance(data, dict):
            for key in ("id", "name", cls.identity_field):
                if isinstance(data.get(key), str):
                    return str(data[key])
        return None

    def attempt(self, context: "Context") -> Outcome:
        """Checks once, within `context.timeout` seconds. Returns an outcome; raises only for a bug."""
        raise NotImplementedError

    def expand(self, context: "Context") -> "Iterable[Requirement]":
        """The requirements this one stands for: `from: requirements.txt` is many. Itself by default."""
        del context
        return (self,)


def judged(wrong: "Sequence[Outcome]", summary: str, **data: Any) -> Outcome:
    """One outcome from all that is wrong with an item; nothing wrong is ok with the summary.

    The first failure gives code, reason and hint; what the others advise stands in the details.
    """
    if not wrong:
        return ok(summary, **data)
    first = wrong[0]
    hints = [f"{each.summary}: {each.hint}" for each in wrong[1:] if each.hint and each.hint != first.hint]
    return Outcome(
        ok=False,
        summary="; ".join(each.summary for each in wrong),
        code=first.code,
        reason=first.reason,
        hint=first.hint,
        details="\n".join([*(each.details for each in wrong if each.details), *hints]),
        final=all(each.final for each in wrong),
        data={key: value for each in reversed(wrong) for key, value in each.data.items()} | data,
    )
