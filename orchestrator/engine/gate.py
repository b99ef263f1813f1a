"""`when`: asked before an item is tried. A question that needs a command is asked beside the loop, which hears signals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.core.outcome import Status, failed
from orchestrator.engine import step_lock
from orchestrator.engine.conditions import CannotTell, holds, runs_a_command

if TYPE_CHECKING:
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
                if work.status is Status.WAITING:  # else it was given up
                    work.status = Status.UNKNOWN
                    self._answered(work, question)

    def _answered(self, work: Work, question: _Question) -> None:
        if question.problem:
            said = f"cannot tell whether it applies: {question.problem}"
            self.start.conclude(work, failed("ORC471", "condition", said, final=True))
        elif question.why_not:
            self.start.skip(work, question.why_not)
        else:
            self.start.go_on(work)


class _Question:
    """Whether a condition holds in a context."""

    def __init__(self, when: Condition, context: Context) -> None:
        self.when, self.context = when, context
        self.why_not = self.problem = ""

    def answer(self) -> str:
        """Why not; nothing where it holds, or where nobody can tell: then `problem` says why."""
        try:
            yes, why = holds(self.when, self.context)
        except CannotTell as error:
            self.problem = str(error)
        else:
            self.why_not = "" if yes else why
        return self.why_not
