"""What every requirement, wait and step has in common, and the `on_failure` behind it."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, cast

from pydantic import Field, PlainValidator, WithJsonSchema

from orchestrator.core.words import REMEDY
from orchestrator.document.plain import Template
from orchestrator.spec.choice import validate_chosen
from orchestrator.spec.errors import problem, validate_each
from orchestrator.spec.kinds import FALLBACKS
from orchestrator.spec.model import Lazy, Model
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import Duration

if TYPE_CHECKING:
    from orchestrator.core.words import Lowered
    from orchestrator.spec.breaking import Sandbox
    from orchestrator.spec.retry import Retry
else:
    Retry = Annotated[Any, Lazy("orchestrator.spec.retry:Retry")]


AnyCondition = Annotated[Any, Lazy("orchestrator.spec.conditions:AnyCondition")]
"""The models of conditions are imported when a spec has one: most items have none."""


REMEDY_LIMIT = 60.0
"""Seconds that a remedy may take which says nothing itself."""


class Action(Model):
    """A fallback action: what is done when something fails."""

    noun = "fallback action"
    remedy: ClassVar[bool] = False
    """Whether the thing is checked again after it; otherwise it is a verdict."""
    ends: ClassVar[bool] = False
    """Whether nothing behind it in a list can be reached."""
    allowed: ClassVar[frozenset[str] | None] = None
    """The kinds of item it may stand on; None: all."""
    tolerates: ClassVar[bool] = False
    """Whether the service goes on without the item: it cannot without its socket or its server."""
    to_lead_on: ClassVar[str] = ""
    """What to add to a verdict that does not lead on."""

    @property
    def word(self) -> str:
        return type(self).__module__.rpartition(".")[2]

    @property
    def leads_on(self) -> bool:
        """Whether a verdict is over some time, so that the action behind it can be reached."""
        return False

    @property
    def sets(self) -> tuple[str, ...]:
        """The variables that it may set."""
        return ()

    @property
    def replaces(self) -> str:
        """What it takes another value of: `path`, `url`, `app` or `port`."""
        return ""

    @classmethod
    def stands_on(cls, kind: str) -> bool:
        """Whether it can be applied to a kind of item."""
        if cls.tolerates and kind in ("launch", "port"):
            return False
        return cls.allowed is None or kind in cls.allowed

    def fits(self, item: Any) -> bool:  # noqa: ARG002 - for those that replace something
        """Whether there is something in the item that it can be applied to."""
        return True

    def instead_of(self, item: Any) -> Any | None:  # noqa: ARG002 - for those that replace something
        """The item with another value; None where there is nothing to replace."""
        return None

    def lowered(self) -> "Lowered":
        """The plain data that is decided on, see `core.words`."""
        return {"do": REMEDY, "name": self.word, "limit": REMEDY_LIMIT, "again": self.remedy}


class Named(Action):
    """A fallback that is declared under `fallbacks` and used by its name."""

    name: Templated[str]

    @property
    def word(self) -> str:
        return self.name


def validate_action(value: Any) -> Action:
    if isinstance(value, Action):
        return value
    if isinstance(value, Template):
        raise problem("ORC219", "the name of a fallback cannot hold `${…}`: what is done is known before any value is",
                      "write the name itself; an overlay may name another one")  # fmt: skip
    if isinstance(value, str):
        if value in FALLBACKS.built_in:
            return _by_word_alone(value)
        return Named(name=str(value))
    names = FALLBACKS.names(
        plugins=isinstance(value, dict) and not any(key in FALLBACKS.built_in for key in value)
    )
    return cast("Action", validate_chosen(value, "fallback action", names, (), FALLBACKS.load))


def _by_word_alone(word: str) -> Action:
    """An action that was written without a value, as `warn` and `stop` can be."""
    kind = FALLBACKS.load(word)
    if kind.model_fields[word].is_required():
        raise problem("ORC102", f"`{word}` needs a value", f"orchestrator explain {word} shows an example")
    return cast("Action", kind.model_validate({word: None}))


def validate_actions(value: Any) -> tuple[Action, ...]:
    """One action or a list of them, in the order in which they are tried."""
    if not isinstance(value, tuple):
        return (validate_action(value),)
    if not value:
        raise problem(
            "ORC115", "an empty list of fallback actions does nothing", "name an action, or take the line out"
        )
    return tuple(validate_each(enumerate(value), validate_action))


Actions = Annotated[Any, PlainValidator(validate_actions), WithJsonSchema({"$ref": "#/$defs/actions"})]


class Item(Model):
    """A requirement, a wait or a step."""

    elsewhere: ClassVar = {"retries": "write `retry: {times: …}`"}
    kind: ClassVar[str] = ""
    """The first half of its id: `package`, `wait`."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*(:[^\s:][^\s]*)?$")] | None = Field(
        None, description="The item's id, where the one made of its kind and name will not do."
    )
    why: Templated[str] | None = Field(None, description="Why the service needs it; said with every failure.")
    needs: tuple[str, ...] = Field(
        (), description="Ids of items that must be well before this one is tried.", examples=[["wait:db"]]
    )
    when: AnyCondition | None = Field(
        None,
        description="The item is skipped unless this condition holds.",
        examples=[{"environment": "production"}],
    )
    timeout: Templated[Duration] | None = Field(
        None, description="How long one attempt may take.", examples=["2s"]
    )
    deadline: Templated[Duration] | None = Field(
        None, description="How long all attempts together may take.", examples=["60s"]
    )
    retry: Retry | None = Field(None, description="How attempts follow one another.")
    on_failure: Actions | None = Field(
        None,
        description="What is done when it fails, in order; the default is the spec's `on_failure`.",
        examples=[{"degrade": "search"}],
    )

    @classmethod
    def below(cls) -> dict[str, Collection[str]]:
        from orchestrator.spec.retry import Retry

        return {"retry": Retry.keys()}

    @property
    def title(self) -> str:
        """The second half of its id."""
        raise NotImplementedError

    def failures(self) -> tuple[str, ...]:
        """The ways in which it can fail, in the words of `orchestrator rehearse`: `missing`, `timeout`."""
        return ("failed",)

    def make_fail(self, failure: str, sandbox: "Sandbox") -> None:  # noqa: ARG002 - for kinds that can
        """Makes it fail in one of these ways; raises CannotBreak where that is not possible."""
        from orchestrator.spec.breaking import CannotBreak

        raise CannotBreak(f"nothing here can make a {self.kind} fail")

    def reason_of(self, failure: str) -> str:
        """The reason of its outcome when it fails in one of these ways."""
        return failure

    @property
    def identity(self) -> str:
        return self.id or (f"{self.kind}:{self.title}" if self.title else self.kind)
