"""`warn`: go on, and say so in the report."""

from __future__ import annotations

from orchestrator.spec.item import Action
from orchestrator.spec.model import described


class Warn(Action):
    """Go on; the failure is said in the log and the report."""

    ends = True

    warn: str | None = described(None, "What to say beside the failure itself.")


KIND = Warn
