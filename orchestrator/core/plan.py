"""The plan: what never changes about a service and its items, as plain data that a state is made for."""

from __future__ import annotations

from orchestrator.core.restarts import AFTER_READY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from orchestrator.core.order import Order
    from orchestrator.core.words import Lowered

    Plan = dict[str, Any]
    Node = dict[str, Any]

GRACE = 8.0
"""Seconds that a step or a server has to end."""


def plan(
    order: Order,
    items: Mapping[str, Node],
    lists: Mapping[str, Sequence[Lowered]],
    after_ready: Sequence[Lowered],
    **service: Any,
) -> Plan:
    """The plan of items in their order; `items` has what is known of each, see `node`.

    `lists` has the actions of each item, `after_ready` those for a server that fails once the service was ready.
    `service` says how the server is run: `restart` (`policy`, `attempts`, `within`), `health` (`deadline`, `interval`
    and the endpoints), `drain`, `grace`, `stop_signal`, `server`, `command`, `workers`, `blamed` (the item that has
    failed when the server ends) and `engine` (whether the engine can be started again).
    """
    usual = {"restart": {"policy": "never"}, "health": {}, "drain": 0.0, "grace": GRACE, "stop_signal": 15}
    return {
        **usual,
        "blamed": "launch",
        "engine": True,
        **service,
        "nodes": {name: node(order, name, **items[name]) for name in order.sorted},
        "lists": {name: list(actions) for name, actions in lists.items()} | {AFTER_READY: list(after_ready)},
        "on_failure": list(after_ready),
        "late_imports": order.late_imports,
    }


def node(
    order: Order,
    name: str,
    *,
    variables: Sequence[str] = (),
    when: tuple[Any, ...] | None = None,
    imported: bool = False,
    looks: bool = False,
    repeatable: bool = True,
    retry: Sequence[Any] | None = None,
    deadline: float | None = None,
    grace: float = GRACE,
    limit: float | None = None,
) -> Node:
    """An item of the plan.

    `variables` are the items of the variables that it is written with; `when` its condition, as of `conditions`;
    `imported` whether the importing process tries it; `looks` whether it can be tried again beside everything else;
    `repeatable` whether it can be tried twice (a step that cannot say that it is done, cannot). `retry` is how attempts
    follow one another, as of `backoff.Policy`; None: it is attempted once. `deadline` is for all attempts, `grace` for
    its end, and `limit` for one try beside a running server; all in seconds.
    """
    own = order.nodes[name]
    return {
        "phase": own.phase,
        "level": own.level,
        "needs": own.needs,
        "bit": order.mask([name]),
        "before": order.before_mask(name),
        "below": order.all_mask(name),
        "variables": list(variables),
        "when": when,
        "imported": imported,
        "looks": looks,
        "repeatable": repeatable,
        "retry": None if retry is None else list(retry),
        "deadline": deadline,
        "grace": grace,
        "limit": limit,
    }
