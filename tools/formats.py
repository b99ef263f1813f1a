"""The formats that programs read, as models: their JSON Schemas under `schema/` are made from these.

The formats are versioned and only grow, so a reader must let keys pass that it does not know.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.spec.schema import DIALECT
from orchestrator.spec.schema_parts import simplified

Severity = Literal["error", "warning", "note"]
State = Literal["unknown", "waiting", "ok", "healed", "degraded", "warned", "failed", "blocked", "skipped"]
ServiceState = Literal["starting", "ready", "degraded", "maintenance", "stopping", "stopped", "failed"]
Code = Annotated[str, Field(pattern=r"^ORC[0-9]{3}$")]
Count = Annotated[int, Field(ge=0)]
Milliseconds = Annotated[float, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
Version = Annotated[Literal[1], Field(description="The version of the format.")]


class Format(BaseModel):
    """Part of a machine format. Keys may be added, none is taken away or changes its meaning."""

    model_config = ConfigDict(extra="allow", frozen=True)


def field(description: str, default: Any = ...) -> Any:
    return Field(default, description=description)


class Where(Format):
    """A second place that explains a finding."""

    message: str = field("What the place is, such as `overrides`.")
    file: str = field("The file.")
    line: Count = field("The line, from 1; 0 for a whole file.")
    column: Count = field("The column, from 1; 0 for a whole file.")


class Diagnostic(Format):
    """One finding."""

    code: Code = field("Its stable code.")
    severity: Severity = field("How bad it is.")
    message: str = field("What is wrong.")
    file: str = field("The file; empty for none.")
    line: Count = field("The line, from 1; 0 for a whole file.")
    column: Count = field("The column, from 1; 0 for a whole file.")
    end_line: Count = field("The line of its end.")
    end_column: Count = field("The column behind its end.")
    pointer: str = field("The JSON pointer of the value in the effective spec.")
    item: str = field("The id of the item it belongs to; empty for none.")
    hint: str = field("What to do; empty for nothing to say.")
    related: list[Where] = field("Other places that explain it.")
    documentation: str = field("The command that says more.")


class Summary(Format):
    """How many findings there are of each severity."""

    errors: Count = field("How many errors.")
    warnings: Count = field("How many warnings.")
    notes: Count = field("How many notes.")


class Origin(Format):
    """Where a value was overridden."""

    file: str = field("The file.")
    line: Count = field("The line.")


class Provenance(Origin):
    """Where a value comes from."""

    overrides: list[Origin] = field("What it overrode, nearest first.")


class Diagnostics(Format):
    """What `validate`, `lint` and `config` print with `--format json`."""

    schema_: Version = Field(alias="schema")
    diagnostics: list[Diagnostic] = field("The findings, by place.")
    summary: Summary = field("Their numbers.")
    spec: dict[str, Any] | None = field("`config`: the effective spec, not interpolated.", None)
    provenance: dict[str, Provenance] | None = field(
        "`config --provenance`: where each value comes from, by JSON pointer.", None
    )


class Fallback(Format):
    """A fallback action that was applied."""

    action: str = field("The action, such as `degrade`.")
    result: str = field("What came of it.")
    changed: dict[str, Any] | None = field(
        "What it changed: `variables` (their names), `path`, `url`, `app` or `port`, `wheels`.", None
    )


class Item(Format):
    """An item and what became of it."""

    id: str = field("Its id, such as `wait:db`.")
    kind: str = field("Its kind, such as `wait`.")
    status: State = field("The state it came to.")
    summary: str = field("What was expected and what was found.")
    reason: str = field("The typed reason of a failure, such as `refused`; empty when it is well.")
    hint: str = field("The exact remedy; empty for none.")
    attempts: Count = field("How often it was tried.")
    start_ms: Milliseconds = field("When it was first tried, from the start.")
    duration_ms: Milliseconds = field("How long it took in all.")
    fallbacks: list[Fallback] = field("The actions that were applied, in order.")
    file: str = field("The file that declares it.")
    line: Count = field("The line that declares it.")
    code: str | None = field("The diagnostic code of a failure; empty when it is well.", None)
    why: str | None = field("Why the service needs it; empty for nothing to say.", None)
    details: str | None = field("More than a line: a traceback, the first lines of a body.", None)


class Import(Format):
    """A module that was imported."""

    module: str = field("The module.")
    self_ms: Milliseconds = field("How long it took without what it imports itself.")
    total_ms: Milliseconds = field("How long it took in all.")


class Note(Format):
    """Something worth knowing."""

    code: str = field("Its diagnostic code; empty for none.")
    message: str = field("What it is.")
    hint: str = field("What to do; empty for nothing to say.")


class Phase(Format):
    """A part of the start."""

    name: str = field("The phase's name.")
    start_ms: Milliseconds = field("When it began, from the start.")
    duration_ms: Milliseconds = field("How long it took.")


class Report(Format):
    """`report.json`, and what `check` and `report` print with `--format json`."""

    schema_: Version = Field(alias="schema")
    service: str = field("The service's name.")
    environment: str = field("The environment; empty for none.")
    role: str = field("The role; empty for none.")
    status: ServiceState = field("The service's state.")
    exit_code: int | None = field("The exit code; null while it runs.")
    started_at: str = field("When the start began, in UTC.")
    duration_ms: Milliseconds = field("How long the start took.")
    degraded: list[str] = field("The features that are off.")
    items: list[Item] = field("Every item.")
    imports: list[Import] = field("Every import that was timed.")
    phases: list[Phase] = field("The phases in their order.")
    notes: list[Note] | None = field("What is worth knowing and no item's state.", None)


class Rehearsal(Format):
    """What happens when one item fails for one reason."""

    break_: str = Field(alias="break", description="The item that was made to fail.")
    reason: str = field("The reason it failed for.")
    outcome: Literal["ready", "healed", "degraded", "maintenance", "stopped"] = field(
        "What the service came to."
    )
    exit_code: int | None = field("The exit code; null while it goes on.")
    fallbacks: list[Fallback | str] = field("The actions that were applied, in order.")
    degraded: list[str] = field("The features that were off.")
    proved: bool | None = field("Whether a real start did the same; null when it was only simulated.")
    note: str | None = field("What else is to be known, such as why it is not proved.", None)


class Rehearsals(Format):
    """What `rehearse` prints with `--format json`."""

    schema_: Version = Field(alias="schema")
    rehearsals: list[Rehearsal] = field("An entry for each item and reason.")


class Feature(Format):
    """A feature that is off, and the item that it is off for."""

    name: str = field("The feature's name.")
    item: str = field("The id of the item that failed.")
    summary: str = field("What the item came to, without secrets.")
    since: Count = field("Since when, in seconds since 1970.")
    recheck: Seconds | None = field("Every how many seconds the item is tried again; null for never.")


class StateFile(Format):
    """`state.json`: what the engine knows now. Replaced atomically at each change; `status` prints it with `schema`."""

    status: ServiceState = field("The service's state.")
    reason: str = field("Why it is so; empty for nothing to say.")
    updated: Count = field("When it was written, in seconds since 1970.")
    degraded: list[str] = field("The features that are off.")
    service: str | None = field("The service's name.", None)
    environment: str | None = field("The environment; empty for none.", None)
    role: str | None = field("The role; empty for none.", None)
    pid: Count | None = field("The engine's process.", None)
    started_at: str | None = field("When the start began, in UTC.", None)
    features: list[Feature] | None = field(
        "Why each feature is off. One that is not among `degraded` is on again.", None
    )


class LogLine(Format):
    """A line of the JSON log and of `events.jsonl`. An event's own fields stand beside these."""

    time: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z$")] = field(
        "When it happened, in UTC."
    )
    level: Literal["debug", "info", "warning", "error"] = field("How much it matters.")
    event: str = field("What happened, in one word.")
    item: str = field("The id of the item it is about; empty for none.")
    message: str = field("The same in words for people.")


class Planned(Format):
    """An item of the plan, at worst: when everything takes as long as it may."""

    id: str = field("Its id.")
    phase: str = field("The phase it belongs to.")
    after: list[str] = field("The ids that come right before it.")
    start_s: Seconds | None = field(
        "When it begins at the latest; null where nothing bounds what comes before."
    )
    worst_s: Seconds | None = field("How long it may take; null without a bound.")
    end_s: Seconds | None = field("When it is over at the latest; null without a bound.")
    when: Literal["", "maybe", "skipped"] = field(
        "Its condition: `skipped` where role and environment tell that it does not hold, `maybe` where a start decides."
    )


class GivenUp(Format):
    """Where an engine that was started as root becomes the service's user."""

    user: str = field("Who it becomes, as the spec names it.")
    after: list[str] = field("The last items that are root's to do; empty where it has nothing to do.")
    given_up_s: Seconds | None = field(
        "When that is at the latest; null where nothing bounds what comes before."
    )


class Plan(Format):
    """What `plan` prints with `--format json`."""

    schema_: Version = Field(alias="schema")
    worst_case_s: Seconds | None = field("How long the start may take; null without a bound.")
    critical_path: list[str] = field("The items that make it take so long.")
    unbounded: list[str] = field("The items without a bound.")
    items: list[Planned] = field("Every item, in the order in which they may begin.")
    rights: GivenUp | None = field(
        "Where the rights of root are given up; null where nobody becomes somebody else.", None
    )


FORMATS: dict[str, type[Format]] = {
    "diagnostics": Diagnostics,
    "report": Report,
    "rehearsal": Rehearsals,
    "state": StateFile,
    "log": LogLine,
    "plan": Plan,
}
"""The formats by the name of their schema: `schema/report.schema.json`."""


def format_schema(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a machine format."""
    made = FORMATS[name].model_json_schema(by_alias=True)
    return {"$schema": DIALECT, "title": f"orchestrator: {name}", **simplified(made)}
