import pytest

from orchestrator.system import oom

V2 = "low 0\nhigh 0\nmax 12\noom 3\noom_kill {}\noom_group_kill 0\n"
V1 = "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n"


@pytest.fixture(params=[V2, V1], ids=["v2", "v1"])
def count(request, tmp_path, monkeypatch):
    """Sets the kernel's count."""
    file = tmp_path / "counts"
    monkeypatch.setattr(oom, "FILES", (str(tmp_path / "nothing"), str(file)))
    return lambda number: file.write_text(request.param.format(number))


def test_a_kill_is_explained_once_when_the_kernel_has_counted_it(count):
    count(2)
    kills = oom.Kills()
    assert kills.why(-9) == ""
    count(3)
    assert "memory is used up" in kills.why(-9)
    assert kills.why(-9) == ""


@pytest.mark.parametrize("code", [0, 1, -15, 137])
def test_another_end_is_not_for_want_of_memory(count, code):
    count(1)
    kills = oom.Kills()
    count(2)
    assert kills.why(code) == ""


def test_where_nobody_counts_nothing_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(oom, "FILES", (str(tmp_path / "nothing"),))
    assert oom.kills() == 0
    assert oom.Kills().why(-9) == ""
