"""What makes a finding the same finding tomorrow: its code, file and text, and not its line number."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING

from orchestrator.diagnostics.paths import relative

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.diagnostics import Diagnostic
    from orchestrator.diagnostics.excerpt import Sources
    from orchestrator.diagnostics.formats import Options


def fingerprints(diagnostics: Iterable[Diagnostic], sources: Sources, options: Options) -> list[str]:
    """A fingerprint for each finding, unique in the report and stable when lines above come and go."""
    seen: Counter[str] = Counter()
    result = []
    for each in diagnostics:
        text = sources.line(each.place).strip() or each.message
        file = relative(each.place.file, options.cwd, options.root)
        essence = f"{each.code}\0{file}\0{each.item}\0{text}"
        seen[essence] += 1
        # The same mistake twice on lines that read the same: told apart by their order.
        whole = f"{essence}\0{seen[essence]}".encode("utf-8", "backslashreplace")
        result.append(sha256(whole).hexdigest()[:32])
    return result
