"""In a process of its own: adopting orphans is a property of a whole process."""

import subprocess
import sys
import textwrap

import pytest

PROLOGUE = """
import os, subprocess, sys, time
from orchestrator.system import prctl
from orchestrator.system.reaper import Reaper, descendants, ended_children

assert prctl.adopt_orphans()

def orphans(number):
    subprocess.run(["sh", "-c", "for i in $(seq %d); do (exec true) & done" % number], check=True)

def until(check):
    end = time.monotonic() + 10
    while not check():
        assert time.monotonic() < end
        time.sleep(0.01)
"""


def run(code):
    script = PROLOGUE + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_orphans_are_taken():
    run("""
        reaper = Reaper(lambda pid: False)
        orphans(200)
        taken = 0
        def all_taken():
            global taken
            taken += reaper.reap()
            return taken == 200
        until(all_taken)
        assert ended_children() == []
    """)


@pytest.mark.parametrize("patience", ["0", "0.1"])
def test_a_childs_status_is_never_stolen(patience):
    run(f"""
        child = subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"])
        until(lambda: child.pid in ended_children())
        reaper = Reaper(lambda pid: pid == child.pid, {patience})
        orphans(5)
        until(lambda: reaper.reap() == 0 and ended_children() == [child.pid])
        assert child.wait() == 7
    """)


def test_with_patience_an_unknown_child_is_left_alone_for_a_while():
    run("""
        child = subprocess.Popen(["false"])
        until(lambda: child.pid in ended_children())
        reaper = Reaper(lambda pid: False, 30.0)
        assert reaper.reap() == 0
        assert reaper.waiting
        assert child.wait() == 1
    """)


def test_descendants_are_found_at_any_depth_but_not_the_ended():
    run("""
        ended = subprocess.Popen(["true"])
        until(lambda: ended.pid in ended_children())
        deep = subprocess.Popen(["sh", "-c", "sh -c 'sleep 60; true'; true"])
        until(lambda: len(descendants()) == 3)
        assert ended.pid not in descendants()
        assert descendants(without=(deep.pid,)) == []
        for pid in descendants():
            os.kill(pid, 9)
        ended.wait(), deep.wait()
    """)
