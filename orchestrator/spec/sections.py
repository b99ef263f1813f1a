"""The sections of a spec that are lists of items: how one is validated, and what overlays match it by."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from orchestrator.document.node import words_for
from orchestrator.spec.choice import validate_chosen
from orchestrator.spec.errors import problem, refuse_template, validate_each
from orchestrator.spec.item import Item
from orchestrator.spec.kinds import REQUIREMENTS, WAITS
from orchestrator.spec.wording import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.spec.model import Model

ITEM_LISTS = ("packages", "modules", "directories", "files", "wait_for", "checks", "steps")
"""Overlays merge these by identity."""
NAMING_KEYS = ("name", "path", "module", "requirement")
"""The keys that say what an item is called."""
_OF_SEVERAL_KINDS = ("wait_for", "checks")


def model_of(section: str) -> type[Model]:
    """The model of a section whose items are all of one kind."""
    model: type[Model] = getattr(import_module(module_of(section)), "KIND")  # noqa: B009 - of whichever module
    return model


def module_of(section: str) -> str:
    return "orchestrator.spec.steps" if section == "steps" else f"{REQUIREMENTS.package}.{section}"


def validate_wait(value: Any) -> Any:
    """A wait, by the kind that it names."""
    names = WAITS.names(plugins=isinstance(value, dict) and not any(key in WAITS.built_in for key in value))
    return validate_chosen(value, "wait", names, [*Item.keys(), "name"], WAITS.load)


def checks() -> Mapping[str, type[Model]]:
    """The engine's own checks by their key."""
    return cast("Mapping[str, type[Model]]", import_module(module_of("checks")).KINDS)


def validate_check(value: Any) -> Any:
    """A check by which of its keys is there; a plug-in's requirement is a key too."""
    own = checks()
    known = isinstance(value, dict) and any(key in own for key in value)
    plugins = () if known or not isinstance(value, dict) else tuple(REQUIREMENTS.plugins)

    def load(name: str) -> type[Model]:
        return own[name] if name in own else REQUIREMENTS.load(name)

    return validate_chosen(
        value, "check", (*own, *plugins), [*Item.keys(), "name"], load, model_of("checks").removed_keys
    )


def validator(section: str) -> Callable[[Any], Any]:
    """What validates one item of a section."""
    by_kind = {"wait_for": validate_wait, "checks": validate_check}
    return by_kind.get(section) or model_of(section).model_validate


def validate_items(section: str, value: Any) -> tuple[Any, ...]:
    """The items of a section, with the errors of all of them."""
    refuse_template(value)
    if not isinstance(value, tuple):
        hint = NOTHING if value is None else "put `- ` before each item"
        raise problem("ORC102", f"`{section}` is a list, got {words_for(value)}", hint)
    return tuple(validate_each(enumerate(value), validator(section)))


def identify(section: str, value: Any) -> str | None:
    """What an overlay matches an item of a section by."""
    if section not in ("wait_for", "checks", "steps"):
        return cast("str | None", model_of(section).identify(value))  # type: ignore[attr-defined]
    if not isinstance(value, dict):
        return value if isinstance(value, str) else None
    return next((str(value[key]) for key in ("id", "name") if isinstance(value.get(key), str)), None)


def shorthand(section: str) -> str:
    """The key that a short item of a section stands for."""
    return "" if section in ("wait_for", "checks", "steps") else model_of(section).shorthand
