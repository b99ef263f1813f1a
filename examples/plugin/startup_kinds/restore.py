"""`restore`: puts a file back from a copy, then what failed is checked again."""

import os
import shutil
import tempfile
from typing import ClassVar

from pydantic import Field

from orchestrator.plugins import Action, Context, Model, Outcome, PathText, Templated, failed, ok


class Copy(Model):
    """A copy and the file it stands for."""

    noun = "restore"

    source: Templated[PathText] = Field(description="The copy.", alias="from", examples=["backups/ledger.db"])
    to: Templated[PathText] = Field(
        description="The file that it replaces. What was there is kept beside it as `.broken`.",
        examples=["data/ledger.db"],
    )


class Restore(Action):
    """Put a file back from a copy, atomically, then check again."""

    remedy = True
    allowed: ClassVar = frozenset({"file", "check"})

    restore: Copy = Field(
        description="What is copied where.", examples=[{"from": "backups/ledger.db", "to": "data/ledger.db"}]
    )

    def apply(self, context: Context, outcome: Outcome) -> Outcome:
        """`outcome` is how the item failed. The result is said in the log and the report."""
        del outcome
        source, target = context.path(self.restore.source), context.path(self.restore.to)
        try:
            descriptor, fresh = tempfile.mkstemp(dir=os.path.dirname(target))
            os.close(descriptor)
            shutil.copy2(source, fresh)
            if os.path.exists(target):
                os.replace(target, f"{target}.broken")
            os.replace(fresh, target)
        except OSError as error:
            return failed(
                "ORC801", "restore", f"cannot restore {self.restore.to}: {error.strerror}: {error.filename}"
            )
        return ok(f"{self.restore.to} restored from {self.restore.source}")


KIND = Restore
