"""Did you mean: the candidate that a mistyped word is nearest to. Pure, and no table to keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


ENOUGH_OF_A_WORD = 4
"""So many letters of its beginning or end may stand for a whole word: `TERM` for `SIGTERM`, `warn` for `warning`."""


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that was probably meant, or None where none is near enough."""
    wanted = _plain(word)
    best: tuple[int, str] | None = None
    known = list(dict.fromkeys(candidates))
    for candidate in known:
        found = _plain(candidate)
        limit = _limit(wanted, found) if best is None else best[0] - 1
        if found == wanted:
            return candidate
        distance = _distance(wanted, found, limit)
        if distance is not None:
            best = (distance, candidate)
    return best[1] if best else _whole(wanted, known)


def _whole(part: str, candidates: list[str]) -> str | None:
    """The only candidate that begins or ends with a part of a word."""
    if len(part) < ENOUGH_OF_A_WORD:
        return None
    found = [each for each in candidates if (plain := _plain(each)).startswith(part) or plain.endswith(part)]
    return found[0] if len(found) == 1 else None


SURE = 5
"""Shorter names differ in a letter because they are different names."""


def slip(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate of which a word is surely a misspelling: one letter was left out, added, replaced or swapped.

    For words that may well be meant as they are: `DB_HOST2` is no slip of `DB_HOST`, nor `DB_HOST` one of `DB_PORT`.
    """
    wanted = _plain(word)
    for candidate in candidates if len(wanted) >= SURE else ():
        found = _plain(candidate)
        digits = [each for each in found if each.isdigit()] == [each for each in wanted if each.isdigit()]
        if digits and found != wanted and _distance(wanted, found, 1) is not None:
            return candidate
    return None


MANY = 50
"""So many different words that are not there are looked up; more are no slips of the pen."""


class Lookup:
    """Looks for what words mean among the same candidates, which may be thousands: each word once."""

    def __init__(
        self, candidates: Iterable[str], find: Callable[[str, Iterable[str]], str | None] = slip
    ) -> None:
        self._candidates = list(candidates)
        self._find = find
        self._known: dict[str, str | None] = {}

    def __call__(self, word: str) -> str | None:
        if word not in self._known:
            self._known[word] = self._find(word, self._candidates) if len(self._known) < MANY else None
        return self._known[word]


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """The hint that goes with an unknown word; empty where nothing is near."""
    found = closest(word, candidates)
    return f"did you mean `{found}`?" if found else ""


def _plain(word: str) -> str:
    # Case and separators are what people mix up most: `onFailure`, `on-failure`, `ON_FAILURE`.
    return word.casefold().replace("-", "").replace("_", "").replace(" ", "")


def _limit(one: str, other: str) -> int:
    """How many slips still count as the same word: one in three letters, three at most."""
    return min(3, max(len(one), len(other)) // 3)


def _distance(one: str, other: str, limit: int) -> int | None:
    """How many letters were inserted, left out, replaced or swapped with the next; None above the limit."""
    if limit < 0 or abs(len(one) - len(other)) > limit:
        return None
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        this = [row]
        for column, another in enumerate(other, 1):
            cost = min(last[column] + 1, this[-1] + 1, last[column - 1] + (letter != another))
            swapped = column > 1 and row > 1 and letter == other[column - 2] and one[row - 2] == another
            this.append(min(cost, before[column - 2] + 1) if swapped else cost)
        if min(this) > limit:
            return None
        before, last = last, this
    return last[-1] if last[-1] <= limit else None
