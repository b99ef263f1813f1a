"""Where this runs: a pod, another container, or a machine. Judges nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TOLD = "ORCHESTRATOR_IN_CONTAINER"
_MARKS = ("/.dockerenv", "/run/.containerenv")


def place(environ: Mapping[str, str]) -> str:
    """`pod`, `container`, or nothing: by the word of who runs it, else by what the engines of containers leave behind."""
    told = environ.get(TOLD, "")
    if told == "0":
        return ""
    if environ.get("KUBERNETES_SERVICE_HOST"):
        return "pod"
    return "container" if told == "1" or any(os.path.exists(mark) for mark in _MARKS) else ""
