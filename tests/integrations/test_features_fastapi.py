"""`requires_feature` in a real app, served by uvicorn."""

from typing import Annotated

import httpx
import pytest
import served
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from orchestrator.integrations.fastapi import install_features, requires_feature


def made(*, installed=True):
    app = FastAPI()
    if installed:
        install_features(app)

    @app.get("/search", dependencies=[Depends(requires_feature("search"))])
    def search(q: str) -> list[str]:
        return [q]

    @app.get("/cart")
    def cart() -> str:
        return "full"

    router = APIRouter(dependencies=[Depends(requires_feature("chat", detail="The assistant sleeps."))])

    @router.post("/ask", responses={503: {"description": "Asleep"}})
    @router.post("/ask-slowly")
    def ask(search: Annotated[None, Depends(requires_feature("search"))]) -> str:
        return "yes"

    @router.websocket("/talk")
    async def talk(socket: WebSocket):
        await socket.accept()
        await socket.send_text("hello")
        await socket.close()

    app.include_router(router, prefix="/assistant")
    return app


@pytest.fixture
def address(engine):
    with served.asgi(made()) as address:
        yield f"http://{address}"


def test_a_feature_that_is_off_is_a_problem_until_it_comes_back(address, engine):
    assert httpx.get(f"{address}/search?q=a").json() == ["a"]
    engine.degraded("search", recheck=30.0)
    answer = httpx.get(f"{address}/search?q=a")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "30"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "search is off at the moment",
        "instance": "/search",
        "feature": "search",
    }
    assert httpx.get(f"{address}/cart").json() == "full"
    engine.well()
    assert httpx.get(f"{address}/search?q=a").json() == ["a"]


def test_a_router_can_require_one_and_say_it_in_its_own_words(address, engine):
    engine.degraded("chat")
    answer = httpx.post(f"{address}/assistant/ask")
    assert (answer.status_code, answer.json()["detail"]) == (503, "The assistant sleeps.")
    assert answer.json()["instance"] == "/assistant/ask"


def test_a_websocket_is_closed_before_it_was_accepted(address, engine):
    url = address.replace("http", "ws") + "/assistant/talk"
    with connect(url) as connection:
        assert connection.recv() == "hello"
    engine.degraded("chat")
    with pytest.raises(InvalidStatus) as denied:
        connect(url)
    assert denied.value.response.status_code == 403


def test_without_an_engine_everything_is_on(alone):
    with served.asgi(made()) as address:
        assert httpx.get(f"http://{address}/search?q=a").json() == ["a"]


def test_an_app_that_installs_nothing_answers_in_fastapis_own_way(engine):
    engine.degraded("search", recheck=30.0)
    with served.asgi(made(installed=False)) as address:
        answer = httpx.get(f"http://{address}/search?q=a")
    assert (answer.status_code, answer.json()) == (503, {"detail": "search is off at the moment"})
    assert answer.headers["retry-after"] == "30"


def test_the_openapi_document_shows_the_answer_where_a_feature_is_required():
    paths = made().openapi()["paths"]
    answer = paths["/search"]["get"]["responses"]["503"]
    assert answer["description"] == "Off at the moment: search"
    assert answer["headers"]["Retry-After"]["schema"] == {"type": "integer"}
    problem = answer["content"]["application/problem+json"]["schema"]
    assert problem["properties"]["status"] == {"type": "integer"}
    assert problem["properties"]["feature"] == {"type": "string", "enum": ["search"]}
    assert "503" not in paths["/cart"]["get"]["responses"]


def test_the_openapi_document_knows_requirements_of_routers_and_keeps_what_the_app_says():
    document = made().openapi
    assert document() == document()
    paths = document()["paths"]
    problem = "application/problem+json"
    own = paths["/assistant/ask"]["post"]["responses"]["503"]
    assert own["description"] == "Asleep"
    assert own["content"][problem]["schema"]["properties"]["feature"]["enum"] == ["chat", "search"]
    assert paths["/assistant/ask-slowly"]["post"]["responses"]["503"]["content"][problem]
