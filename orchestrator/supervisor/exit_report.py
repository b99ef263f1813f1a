"""The last screen of a service that had been ready: what failed, what was tried, what to do, where. Builtins alone.

Pure: the facts are the supervisor's, who also writes it. `cli.ending` has the screen of a start that came to nothing.
"""

from __future__ import annotations

from orchestrator.core.server import DIED, NEVER_READY, UNHEALTHY
from orchestrator.system.log_output import folded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HINTS = {
    DIED: "what it printed is above",
    NEVER_READY: "what it printed is above; `health.deadline` gives it more time",
    UNHEALTHY: "the app answers no more, or not as it should: what it printed is above",
}
NOTHING_TRIED = (
    "; `launch.restart` starts it again, `on_failure` of `health` and `launch` say what else is done"
)
MEANINGS = {
    3: "starting again alone will not mend this",
    5: "the app itself did not boot, or was never ready",
    75: "not ready in time; starting again may help",
    137: "it was killed, for memory or by somebody: 128 and the number of the signal",
}
"""Of exit codes; those of `cli.ending` and one more."""


class Farewell:
    """What there is to say of one end."""

    def __init__(
        self,
        service: str,
        code: int,
        failed: dict[str, Any],
        about: str,
        tried: list[str],
        known: dict[str, dict[str, Any]],
        degraded: list[str],
    ) -> None:
        """`known` is what is to be said of an item: place, why, hint, code, tried."""
        self.service = service
        self.code = code
        # Its health is what a server is measured by; that it died is told of the launch.
        self.item: str = "launch" if about == DIED else failed.get("item", "launch")
        self.summary = _plain(failed.get("summary", "")) or "the server failed"
        of_item = known.get(self.item, {})
        self.tried: list[str] = [*of_item.get("tried", ()), *_counted(tried)]
        self.degraded = degraded
        self.about: str = about or of_item.get("code", "")
        self.place: str = of_item.get("place", "")
        self.why: str = of_item.get("why", "")
        self.hint: str = (
            of_item.get("hint", "") if not about else HINTS[about] + ("" if tried else NOTHING_TRIED)
        )
        self.meaning = (
            MEANINGS.get(code, "") if (about, code) != (UNHEALTHY, 5) else "the app was not well any more"
        )

    def text(self, width: int = 0) -> str:
        """For people; `width` is that of a terminal, 0 for a log, whose lines stay whole."""
        code = f" [{self.about}]" if self.about else ""
        where = f" ({self.place})" if self.place else ""
        lines = [
            "",
            *folded("orchestrator: ", f"{self.service} ended (exit {self.code})", width),
            "",
            *folded("  ", f"{self.item}{where}{code}", width),
            *folded("    ", self.summary, width),
        ]
        lines += folded("    needed: ", self.why, width) if self.why else []
        lines += [line for each in self.tried for line in folded("    tried:  ", each, width)]
        lines += folded("    hint:   ", self.hint, width) if self.hint else []
        lines.append("")
        lines += folded("  degraded: ", ", ".join(self.degraded), width) if self.degraded else []
        lines += [f"  more: orchestrator explain {self.about}"] if self.about else []
        lines += folded(f"  exit {self.code}: ", self.meaning, width) if self.meaning else []
        return "\n".join(lines)

    @property
    def cause(self) -> str:
        return f"{self.item}{f' ({self.place})' if self.place else ''}: {self.summary}"

    @property
    def words(self) -> str:
        """For the platform, which keeps little."""
        hint = f"; hint: {self.hint}" if self.hint else ""
        return f"{self.service} ended (exit {self.code}): {self.cause}{hint}"

    def facts(self) -> dict[str, Any]:
        """The fields of the last line of a log of JSON lines, as those of a start that came to nothing."""
        file, _, line = self.place.rpartition(":")
        failure = {
            "item": self.item, "summary": self.summary, "why": self.why, "tried": self.tried, "hint": self.hint, "code": self.about,
            "file": file, "line": int(line or 0),
        }  # fmt: skip
        return {
            "exit_code": self.code, "cause": self.cause, "hint": self.hint, "meaning": self.meaning, "failures": [failure], "not_tried": [],
            "degraded": self.degraded,
        }  # fmt: skip


def _plain(text: str) -> str:
    """On one line, and nothing in it that a terminal would obey: an app may have said it."""
    return "".join([each if each >= " " and each != "\x7f" else "?" for each in " ".join(text.split())])


def _counted(words: list[str]) -> list[str]:
    """Each once, with how often it was."""
    often = [(each, words.count(each)) for each in dict.fromkeys(words)]
    return [each if count == 1 else f"{each}: {count} times" for each, count in often]
