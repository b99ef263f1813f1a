"""A second service, which has nothing but the first: a digest of the newest bookmarks, `app.digest:app`."""

import json
import os
from http import HTTPStatus
from http.client import HTTPException
from itertools import groupby
from typing import Annotated, Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse

from app.models import Bookmark, Day, Digest, Readiness
from app.problems import described, problem

API_URL = (os.environ.get("API_URL") or "http://127.0.0.1:8000").rstrip("/")
TIMEOUT = 2.0

app = FastAPI(title="Digest", version="1.0.0", responses=described(HTTPStatus.BAD_GATEWAY))
# A neighbour is asked directly, whatever proxy the environment names for the outside.
_neighbour = build_opener(ProxyHandler({}))


class ApiError(Exception):
    """The bookmarks API did not answer as it should."""


@app.exception_handler(ApiError)
def api_trouble(_request: Request, error: ApiError) -> Response:
    return problem(HTTPStatus.BAD_GATEWAY, str(error), {"Retry-After": "5"})


@app.get("/")
async def index() -> dict[str, Any]:
    """What there is."""
    return {"service": app.title, "version": app.version, "links": {"digest": "/digest"}}


@app.get("/live")
async def live() -> dict[str, str]:
    """Whether the event loop turns, whatever the API does."""
    return {"status": "ok"}


@app.get("/ready", response_model=Readiness)
def ready() -> JSONResponse:
    """Whether there is anything to make a digest of: the API says it is ready itself."""
    try:
        _ask("/ready")
    except ApiError as error:
        body = Readiness(status="unavailable", reason=str(error))
        return JSONResponse(body.model_dump(), HTTPStatus.SERVICE_UNAVAILABLE)
    return JSONResponse(Readiness(status="ok").model_dump(exclude={"reason"}))


@app.get("/digest")
def digest(limit: Annotated[int, Query(ge=1, le=50)] = 10) -> Digest:
    """The newest bookmarks by day."""
    bookmarks = [Bookmark(**item) for item in _ask(f"/bookmarks?limit={limit}")["items"]]
    days = groupby(bookmarks, key=lambda bookmark: bookmark.created_at[:10])
    return Digest(
        newest=bookmarks[0].created_at if bookmarks else None,
        count=len(bookmarks),
        days=[Day(date=date, bookmarks=list(those)) for date, those in days],
    )


def _ask(path: str) -> Any:
    # Called from plain `def` endpoints, which run in threads: the event loop never waits for the API.
    try:
        with _neighbour.open(API_URL + path, timeout=TIMEOUT) as answer:
            return json.load(answer)
    except HTTPError as error:
        error.close()
        raise ApiError(f"the bookmarks API answered {error.code} to {path}") from error
    except (OSError, HTTPException, ValueError) as error:
        raise ApiError(f"the bookmarks API does not answer: {error}") from error
