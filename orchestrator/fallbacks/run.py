"""`run`: a command that mends what failed."""

from __future__ import annotations

from orchestrator.spec.item import Action
from orchestrator.spec.model import described
from orchestrator.spec.types import Argv, Duration


class Run(Action):
    """Run a command, then check again. The command is not believed, the check is."""

    remedy = True

    run: Argv = described(..., "The command and its arguments.", examples=[["python", "-m", "app.repair"]])
    deadline: Duration | None = described(None, "How long it may take; 60s by default.")


KIND = Run
