"""What a real app answers for a feature that a real start has switched off."""

from ports import free_port

APP = """
from fastapi import Depends, FastAPI
from orchestrator import startup
from orchestrator.integrations.asgi import FeatureMiddleware
from orchestrator.integrations.fastapi import install_features, requires_feature

app = FastAPI()
install_features(app)
app.add_middleware(FeatureMiddleware, features={"/files": "files"})

@app.get("/search", dependencies=[Depends(requires_feature("search"))])
def search() -> str:
    return "found"

@app.get("/why")
def why(name: str) -> dict[str, object] | None:
    found = startup.degradation(name)
    return found and {"since": found.since, "recheck": found.recheck, "causes": found.causes}
"""


def test_an_endpoint_of_a_feature_that_is_off_answers_503_and_operators_learn_why(engine):
    closed = free_port()
    engine.write("main.py", APP)
    engine.spec(f"""
        variables: {{TOKEN: {{secret: true, required: true}}}}
        wait_for: [{{name: index, tcp: '127.0.0.1:{closed}', deadline: 200ms, on_failure: {{degrade: search, recheck: 1h}}}}]
        checks: [{{name: disk, run: [sh, -c, 'echo the token is $TOKEN; exit 1'], on_failure: {{degrade: files}}}}]
    """).start(env={"TOKEN": "hush-hush"}).serving()  # fmt: skip
    status, body = engine.get("/search")
    assert (status, body["feature"]) == (503, "search")
    assert engine.get("/files/a")[0] == 503
    why = engine.get("/why?name=search")[1]
    assert why["recheck"] == 3600.0
    assert why["causes"] == [
        ["wait:index", f"connection to 127.0.0.1:{closed} refused: nothing listens there"]
    ]
    ((item, said),) = engine.get("/why?name=files")[1]["causes"]
    assert item == "check:disk"
    assert "the token is ***" in said
    assert engine.stop() == 0


def test_a_feature_that_comes_back_is_served_by_the_app_that_runs(engine):
    engine.write("main.py", APP)
    engine.spec("""
        files: [{path: index.db, on_failure: [{degrade: search, recheck: 1s}]}]
    """).start().serving()  # fmt: skip
    assert engine.get("/search")[0] == 503
    pid = engine.process.pid
    engine.write("index.db")
    engine.until(lambda: engine.get("/search") == (200, b'"found"'))
    assert engine.get("/why?name=search")[1] == b"null"
    assert engine.process.pid == pid
    assert engine.status() == "ready"
    assert engine.stop() == 0
