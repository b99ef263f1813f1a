import os

import pytest

from orchestrator.testing import FakeClock, Project


@pytest.fixture
def project(tmp_path):
    """A directory of its own with helpers to fill it; readable by every user, so that tests can switch."""
    root = tmp_path / "project"
    root.mkdir()
    for parent in (root, *root.parents):
        if parent.stat().st_uid == os.geteuid() and parent.stat().st_mode & 0o055 != 0o055:
            parent.chmod(parent.stat().st_mode | 0o055)
    return Project(root)


@pytest.fixture
def clock():
    return FakeClock()
