"""Renders a template: `${NAME}` becomes the value of a declared variable. Writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.document import interpolate

if TYPE_CHECKING:
    from orchestrator.core.context import Context


class TemplateError(ValueError):
    """A template that cannot be rendered."""

    def __init__(self, message: str, hint: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.line = line


def render(text: str, context: Context) -> str:
    """The text with the values of the service's environment; raises TemplateError, which quotes no value."""
    try:
        template = interpolate.parse(text)
    except interpolate.BadInterpolation as error:
        raise TemplateError(str(error), error.hint, _line(text, error.offset)) from None
    _all_declared(text, template, context)
    try:
        return interpolate.expand(template, context.environ.get)
    except interpolate.Missing as missing:
        summary = f"`{missing.name}` is not set" + (f": {missing.text}" if missing.text else "")
        line = _line(text, text.find("${" + missing.name))
        hint = f"set {missing.name}, or write ${{{missing.name}:-default}}"
        if context.states.get(f"variable:{missing.name}") == "failed":
            summary, hint = (
                f"`{missing.name}` has no value: its contract is not kept",
                f"fix variable:{missing.name}",
            )
        raise TemplateError(summary, hint, line) from None


def _all_declared(text: str, template: interpolate.Template, context: Context) -> None:
    """An undeclared name is more likely the target's own syntax than a variable: nothing is replaced by accident."""
    declared = getattr(context, "declared", None)
    if declared is None:
        return
    for each in interpolate.references(template):
        if each.name not in declared:
            hint = (
                f"declare `{each.name}` under `variables`, or write `$${{{each.name}}}` to keep it as it is"
            )
            raise TemplateError(f"`{each.name}` is no declared variable", hint, _line(text, each.offset))


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, max(offset, 0)) + 1
