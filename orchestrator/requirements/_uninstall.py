"""Takes a distribution out of a private copy of its directory, for the rehearsal."""

from __future__ import annotations

import csv
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.spec.breaking import CannotBreak

if TYPE_CHECKING:
    from orchestrator.requirements._installed import Distribution

_OTHERS = ("0.0.0", "99999.0")


def change_version(found: Distribution, requirement: str) -> None:
    """Gives an installed distribution a version that the requirement refuses."""
    from packaging.requirements import Requirement

    wanted = Requirement(requirement).specifier
    version = next((each for each in _OTHERS if not wanted.contains(each, prereleases=True)), None)
    if version is None:
        raise CannotBreak(f"every version satisfies {requirement}")
    metadata = Path(found.path)
    file = metadata / "METADATA"
    text = file.read_text(encoding="utf-8")
    file.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {version}", text, count=1), encoding="utf-8")
    name = metadata.name.removesuffix(".dist-info").rpartition("-")[0]
    shutil.copytree(metadata, metadata.with_name(f"{name}-{version}.dist-info"))
    shutil.rmtree(metadata)


def uninstall(found: Distribution) -> None:
    """Removes what pip would: everything that RECORD lists, and the directories that are empty then."""
    metadata = Path(found.path)
    site = metadata.parent
    with (metadata / "RECORD").open(encoding="utf-8", newline="") as record:
        listed = {line[0] for line in csv.reader(record) if line}
    tops = {each.partition("/")[0] for each in listed if not each.startswith(("..", "/"))}
    for each in listed:
        if not each.startswith(("..", "/")):
            (site / each).unlink(missing_ok=True)
    for top in tops:
        _prune(site / top)
    shutil.rmtree(metadata, ignore_errors=True)


def _prune(folder: Path) -> None:
    for path, _, files in os.walk(folder, topdown=False):
        if os.path.basename(path) == "__pycache__":
            shutil.rmtree(path)
        elif not files and not os.listdir(path):
            os.rmdir(path)
