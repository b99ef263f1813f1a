"""A distribution that is not installed, or in another version: taken out of the private copy of its folder."""

from __future__ import annotations

import csv
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.rehearsal.sandbox_filesystem import CannotBreak
from orchestrator.requirements._installed import normalise

if TYPE_CHECKING:
    from orchestrator.engine.item import Work
    from orchestrator.rehearsal.sandbox_filesystem import Place

_OTHERS = ("0.0.0", "99999.0")


def make(place: Place, work: Work, reason: str) -> None:
    del place
    if work.item.requirement is None:
        raise CannotBreak("it is no single distribution")
    name = re.split(r"[^A-Za-z0-9._-]", work.item.requirement.strip(), maxsplit=1)[0]
    metadata = _metadata(name)
    if metadata is None:
        raise CannotBreak(f"{name} is not installed as a folder of metadata")
    if reason == "version":
        _other_version(metadata, work.item.requirement)
    else:
        _remove(metadata)


def _metadata(name: str) -> Path | None:
    wanted = normalise(name)
    for folder in map(Path, sys.path):
        for found in folder.glob("*.dist-info") if folder.is_dir() else ():
            if normalise(found.name.removesuffix(".dist-info").rpartition("-")[0]) == wanted:
                return found
    return None


def _other_version(metadata: Path, requirement: str) -> None:
    from packaging.requirements import Requirement

    wanted = Requirement(requirement).specifier
    version = next((each for each in _OTHERS if not wanted.contains(each, prereleases=True)), None)
    if version is None:
        raise CannotBreak(f"every version satisfies {requirement}")
    file = metadata / "METADATA"
    text = file.read_text(encoding="utf-8")
    file.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {version}", text, count=1), encoding="utf-8")
    name = metadata.name.removesuffix(".dist-info").rpartition("-")[0]
    shutil.copytree(metadata, metadata.with_name(f"{name}-{version}.dist-info"))
    shutil.rmtree(metadata)


def _remove(metadata: Path) -> None:
    """What pip would remove: all that RECORD lists, and the folders that are empty then."""
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
