"""`when`: asked before an item is tried. A question that needs a command is asked beside the loop, which hears signals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.core.outcome import Status, failed
from orchestrator.engine import step_lock
from orchestrator.requirements._conditions import answer, runs_a_command

if TYPE_CHECKING:
    from orchestrator.core.conditions import Answer
    from orchestrator.core.context import Context
    from orchestrator.engine.item import Work
    from orchestrator.engine.run import Start
    from orchestrator.spec.conditions import Condition


class Asking:
    """The questions that are open."""

    def __init__(self, start: Start) -> None:
        self.start = start
        self._open: dict[step_lock.Turn, tuple[Work, _Question]] = {}

    def ask(self, work: Work) -> None:
        """Lets the item go on, skips it, or has it fail because nobody can tell: now, or when the answer is there."""
        when = getattr(work.item, "when", None)
        if when is None:
            self.start.go_on(work)
            return
        question = _Question(when, self.start.context())
        if runs_a_command(when):
            turn = step_lock.Turn(None, question.answer, 0.0)
            self._open[turn], work.status = (work, question), Status.WAITING
            self.start.stream.begun(work.id, "asking", None, "whether it applies")
            turn.start()
        else:
            question.answer()
            self._answered(work, question)

    def sources(self) -> list[step_lock.Turn]:
        return list(self._open)

    def hear(self) -> None:
        for turn in list(self._open):
            for told in turn.take():
                work, question = self._open.pop(turn)
                if told.word == step_lock.BUG:
                    self.start.bug(told.text)
                if work.status == Status.WAITING:  # else it was given up
                    work.status = Status.UNKNOWN
                    self._answered(work, question)

    def _answered(self, work: Work, question: _Question) -> None:
        holds, why = question.found
        if holds is None:
            message = f"cannot tell whether it applies: {why}"
            self.start.conclude(work, failed("ORC471", "condition", message, final=True))
        elif not holds:
            self.start.skip(work, why)
        else:
            self.start.go_on(work)


class _Question:
    """Whether a condition holds in a context."""

    def __init__(self, when: Condition, context: Context) -> None:
        self.when, self.context = when, context
        self.found: Answer = (None, "")

    def answer(self) -> str:
        self.found = answer(self.when, self.context)
        return self.found[1]
