"""What a Redis must be able to do beyond answering: keys, a round trip, its cluster; and where a sentinel's master is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from orchestrator.waits._failure import Failure

if TYPE_CHECKING:
    from orchestrator.waits._redis import Talk
    from orchestrator.waits.redis import Address


def judge(target: str, asked: Address, talk: Talk) -> None:
    """Raises Failure for the first that is not as it should be."""
    if asked.cluster:
        _cluster(target, talk)
    if asked.max_latency is not None:
        _latency(target, asked.max_latency, talk)
    if asked.key is not None:
        _keys(target, asked, talk)
    if asked.round_trip:
        _round_trip(target, talk)


def master(name: str, talk: Talk) -> tuple[str, int]:
    """Where the master is that a sentinel watches."""
    found = talk.texts("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
    if not found:
        said = f"the sentinel {talk.stream.where} knows no master `{name}`"
        raise Failure("unexpected", said, "SENTINEL MASTERS lists those that it knows")
    if len(found) != 2 or not found[1].isdecimal():
        raise Failure("protocol", f"{talk.stream.where} does not answer as a sentinel does")
    return found[0], int(found[1])


def _cluster(target: str, talk: Talk) -> None:
    said = talk.well("CLUSTER", "INFO").decode("utf-8", "replace")
    state = dict(line.partition(":")[::2] for line in said.splitlines()).get("cluster_state", "unknown")
    if state != "ok":
        hint = "redis-cli --cluster check HOST:PORT says which slots nobody serves"
        raise Failure("unexpected", f"{target}: the state of its cluster is {state}", hint)


def _latency(target: str, most: float, talk: Talk) -> None:
    best = min(_timed(talk) for _ in range(3))
    if best > most:
        raise Failure(
            "unexpected", f"{target}: PING takes {best * 1000:.3g} ms, expected at most {most * 1000:g} ms"
        )


def _timed(talk: Talk) -> float:
    began = time.monotonic()
    talk.well("PING")
    return time.monotonic() - began


def _keys(target: str, asked: Address, talk: Talk) -> None:
    from orchestrator.spec.matching import mismatch

    if isinstance(asked.key, str):
        if talk.well("EXISTS", asked.key) != b"1":
            raise Failure("unexpected", f"{target}: there is no key `{asked.key}`")
        return
    for name, matcher in asked.key.items():
        found = talk.maybe("GET", name)
        if found is None:
            raise Failure("unexpected", f"{target}: there is no key `{name}`")
        wrong = mismatch(matcher, found.decode("utf-8", "replace"))
        if wrong:
            raise Failure("unexpected", f"{target}: key `{name}`: {wrong}")


def _round_trip(target: str, talk: Talk) -> None:
    """A key of our own, which goes by itself if we cannot remove it."""
    from os import urandom

    key, text = f"orchestrator:probe:{urandom(8).hex()}", urandom(8).hex()
    talk.well("SET", key, text, "EX", "30")
    found = talk.well("GET", key).decode("utf-8", "replace")
    talk.well("DEL", key)
    if found != text:
        raise Failure("unexpected", f"{target} does not give back what was written")
