"""Matrices of real starts: `make test` sees every value of every side once, `make test-long` all of them together."""

import itertools

import pytest


def mostly_long(values, *always):
    """These values, or rows of them, as parameters; all are long but those that are named, rows by their first value."""
    rows = [each if isinstance(each, tuple) else (each,) for each in values]
    named = [each if isinstance(each, tuple) else (each,) for each in always]
    return [
        pytest.param(*row, marks=() if row in named or row[:1] in named else pytest.mark.long) for row in rows
    ]


def crossed(**sides):
    """A test with each value of each side: what shows one for the first time always, the rest where it is long."""
    rows = list(itertools.product(*[[_parameter(each) for each in side] for side in sides.values()]))
    kept = _kept([[each.values[0] for each in row] for row in rows])
    return pytest.mark.parametrize(tuple(sides), [
        pytest.param(
            *[each.values[0] for each in row], id="-".join(each.id or str(each.values[0]) for each in row),
            marks=[*(mark for each in row for mark in each.marks), *(() if at in kept else (pytest.mark.long,))],
        )
        for at, row in enumerate(rows)
    ])  # fmt: skip


def sparse(rows):
    """The same for a matrix with holes: its rows as parameters."""
    kept = _kept(rows)
    return [row if at in kept else pytest.param(*row, marks=pytest.mark.long) for at, row in enumerate(rows)]


def _parameter(value):
    return value if hasattr(value, "marks") else pytest.param(value)


def _kept(rows):
    """The places of the rows that show every value; first of those in which every value is new, for they are the fewest."""
    kept, seen = set(), set()
    for enough in (all, any):
        for at, row in enumerate(rows):
            values = [(side, repr(value)) for side, value in enumerate(row)]
            if enough(value not in seen for value in values):
                kept.add(at)
                seen.update(values)
    return kept
