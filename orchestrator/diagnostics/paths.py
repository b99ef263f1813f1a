"""Paths as services for code review want them: relative to the top of the repository. Touches no file."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHECKOUTS = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")


def repository(environ: Mapping[str, str], cwd: str) -> str:
    """The top of the repository as CI names it, where we run below it; else the working directory."""
    for name in _CHECKOUTS:
        top = environ.get(name, "")
        if top and _below(cwd, posixpath.normpath(top)):
            return posixpath.normpath(top)
    return cwd


def relative(file: str, cwd: str = "", root: str = "") -> str:
    """The file as seen from `root`; as it is, made tidy, where it does not lie below."""
    whole = posixpath.normpath(posixpath.join(cwd, file)) if file else ""
    root = posixpath.normpath(root or cwd or ".")
    return posixpath.relpath(whole, root) if whole.startswith("/") and _below(whole, root) else whole


def _below(path: str, top: str) -> bool:
    return path == top or path.startswith(top.rstrip("/") + "/")
