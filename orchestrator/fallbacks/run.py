"""`run`: a command that mends what failed."""

from pydantic import Field

from orchestrator.spec.item import Action
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import Argv, Duration


class Run(Action):
    """Run a command, then check again. The command is not believed, the check is."""

    remedy = True

    run: Argv = Field(description="The command and its arguments.", examples=[["python", "-m", "app.repair"]])
    deadline: Templated[Duration] | None = Field(None, description="How long it may take; 60s by default.")


KIND = Run
