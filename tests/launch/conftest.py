import pytest
from launching import APP, Launched


@pytest.fixture
def launch(tmp_path):
    """Starts the driver with a plan; everything it started has ended after the test."""
    started = []

    def start(source=APP, *, prefix=(), files=None, **plan):
        (tmp_path / "service_app.py").write_text(source)
        for name, content in (files or {}).items():
            (tmp_path / name).write_text(content)
        if "command" not in plan:
            plan.setdefault("app", "service_app:app")
        started.append(Launched(tmp_path, plan, prefix))
        return started[-1]

    yield start
    for each in started:
        each.end()
