"""A supervised service without a process: its state is taken apart and put together again before every event."""

import marshal

from orchestrator.core.state import dump, load
from orchestrator.core.transition import deadline, launched, transition


class Supervised:
    def __init__(self, plan, now, status="ready"):
        self.state = launched(plan, now, status)

    def on(self, event, now):
        self.state = load(marshal.loads(marshal.dumps(dump(self.state))))
        return transition(self.state, event, now)

    def deadline(self):
        return deadline(self.state)
