"""Turns figures into a decision and remembers the last one in `modules/zeroia/state`."""

import json
import os
from pathlib import Path

STATE = Path("modules/zeroia/state/decision.json")
LIMITS = {"load": 2.0, "disk": 0.95}


def decide(figures):
    """`reduce` when a figure is above its limit, else `normal`; `changed` against the decision before."""
    above = sorted(name for name, limit in LIMITS.items() if figures[name] > limit)
    decision = {"decision": "reduce" if above else "normal", "because": above}
    changed = decision != _previous()
    _remember(decision)
    return decision | {"changed": changed}


def _previous():
    return json.loads(STATE.read_text()) if STATE.exists() else None


def _remember(decision):
    # Written aside and renamed: two requests at once never leave half a file.
    aside = STATE.with_suffix(f".{os.getpid()}.{id(decision)}")
    aside.write_text(json.dumps(decision))
    aside.replace(STATE)
