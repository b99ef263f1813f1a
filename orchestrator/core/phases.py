"""The phases of a start."""

from __future__ import annotations

QUICK, IMPORT, WAIT, CHECK, STEP, LAUNCH, HEALTH = range(7)
"""The phases, in the order in which a start goes through them."""

PHASES = {"python": QUICK, "package": QUICK, "host": QUICK, "directory": QUICK, "file": QUICK, "port": QUICK,
          "module": IMPORT, "wait": WAIT, "check": CHECK, "step": STEP, "launch": LAUNCH, "health": HEALTH}  # fmt: skip
"""By the kind of item."""

BEFORE = {
    QUICK: (),
    IMPORT: (QUICK,),
    WAIT: (QUICK,),
    CHECK: (QUICK, WAIT),
    STEP: (QUICK, WAIT, CHECK),
    LAUNCH: (QUICK, IMPORT, WAIT, CHECK, STEP),
    HEALTH: (LAUNCH,),
}
"""For each phase, those that come before it. Imports run beside waits, checks and steps."""
