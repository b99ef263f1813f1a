import os
import random
import signal

import bounded
import pytest
from hypothesis import settings

from orchestrator.testing import FakeClock, Project

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what it puts in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGQUIT) is signal.SIG_IGN:
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)

settings.register_profile("quick", max_examples=20, deadline=None)
settings.register_profile("long", max_examples=bounded.number(2000, 200), deadline=None)
settings.load_profile("quick")


def pytest_report_header():
    return f"long tests until {bounded.UNTIL}, which is also their order" if bounded.UNTIL else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """With a bound, each run begins with other files."""
    if bounded.UNTIL:
        files = sorted({item.path for item in items})
        random.Random(bounded.UNTIL).shuffle(files)
        items.sort(key=lambda item: files.index(item.path))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if bounded.is_over():
        pytest.skip(f"the {bounded.SECONDS:g} s for long tests are over")


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
