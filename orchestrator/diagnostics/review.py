"""What services for code review ask of a report: paths relative to the repository, and stable fingerprints."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.diagnostics import Diagnostic
    from orchestrator.diagnostics.excerpt import Sources
    from orchestrator.diagnostics.formats import Options

_CHECKOUTS = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")


def repository(environ: Mapping[str, str], cwd: str) -> str:
    """The root of the repository as CI names it, where `cwd` is below it; else `cwd`."""
    for name in _CHECKOUTS:
        root = environ.get(name, "")
        if root and _below(cwd, posixpath.normpath(root)):
            return posixpath.normpath(root)
    return cwd


def relative(file: str, cwd: str = "", root: str = "") -> str:
    """The normalized path relative to `root`; unchanged where it is not below it."""
    whole = posixpath.normpath(posixpath.join(cwd, file)) if file else ""
    root = posixpath.normpath(root or cwd or ".")
    return posixpath.relpath(whole, root) if whole.startswith("/") and _below(whole, root) else whole


def _below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def fingerprints(diagnostics: Iterable[Diagnostic], sources: Sources, options: Options) -> list[str]:
    """A fingerprint for each finding, unique in the report and stable when lines above come and go."""
    from hashlib import sha256

    seen: dict[str, int] = {}
    result = []
    for diagnostic in diagnostics:
        text = sources.line(diagnostic.place).strip() or diagnostic.message
        file = relative(diagnostic.place.file, options.cwd, options.root)
        essence = f"{diagnostic.code}\0{file}\0{diagnostic.item}\0{text}"
        # The same mistake on lines that read the same: distinguished by their order.
        seen[essence] = seen.get(essence, 0) + 1
        whole = f"{essence}\0{seen[essence]}".encode("utf-8", "backslashreplace")
        result.append(sha256(whole).hexdigest()[:32])
    return result
