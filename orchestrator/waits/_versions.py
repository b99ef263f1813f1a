"""The least version that a server may have. Asks nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from orchestrator.spec.types import version_text

if TYPE_CHECKING:
    from collections.abc import Iterator


Least = Annotated[str, version_text("15.4")]
"""The least version of a server."""


def older(found: str, wanted: str) -> Iterator[tuple[str, str]]:
    """What is wrong with a version that is less than the least, and the hint."""
    from packaging.version import InvalidVersion, Version

    try:
        if Version(found) >= Version(wanted):
            return
    except InvalidVersion:
        pass
    yield (
        f"its version is {found}, expected {wanted} or newer",
        f"run version {wanted} of the server, or newer",
    )
