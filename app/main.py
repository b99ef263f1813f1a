"""The bookmarks API: `app.main:app`."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from app.migrate import database_path
from app.models import Bookmark, BookmarkChange, NewBookmark, Page, Readiness
from app.problems import described, problem
from app.store import DuplicateError, Store, UnavailableError
from orchestrator import startup

MAX_ID = 2**63 - 1
Number = Annotated[int, Path(ge=1, le=MAX_ID)]
Limit = Annotated[int, Query(ge=1, le=100)]

app = FastAPI(
    title="Bookmarks",
    version="1.0.0",
    responses=described(HTTPStatus.SERVICE_UNAVAILABLE),
)
store = Store(database_path())


@app.exception_handler(UnavailableError)
def database_unavailable(_request: Request, error: UnavailableError) -> Response:
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), {"Retry-After": "5"})


@app.exception_handler(DuplicateError)
def already_there(_request: Request, error: DuplicateError) -> Response:
    return problem(HTTPStatus.CONFLICT, str(error))


@app.get("/")
async def index() -> dict[str, Any]:
    """What there is."""
    return {
        "service": app.title,
        "version": app.version,
        "links": {"bookmarks": "/bookmarks", "search": "/search?q=", "documentation": app.docs_url},
    }


@app.get("/live")
async def live() -> dict[str, str]:
    """Whether the event loop turns: not the database, whose trouble no restart of this process mends."""
    return {"status": "ok"}


@app.get("/ready", response_model=Readiness)
def ready() -> JSONResponse:
    """Whether requests can be served: the database is really asked."""
    degraded = list(startup.degraded_features())
    try:
        store.ready()
    except UnavailableError as error:
        body = Readiness(status="unavailable", degraded=degraded, reason=str(error))
        return JSONResponse(body.model_dump(), HTTPStatus.SERVICE_UNAVAILABLE)
    return JSONResponse(Readiness(status="ok", degraded=degraded).model_dump(exclude={"reason"}))


@app.post("/bookmarks", status_code=HTTPStatus.CREATED, responses=described(HTTPStatus.CONFLICT))
def add(bookmark: NewBookmark, response: Response) -> Bookmark:
    added = Bookmark(**store.add(bookmark.model_dump(mode="json")))
    response.headers["Location"] = f"/bookmarks/{added.id}"
    return added


@app.get("/bookmarks")
def page(
    request: Request,
    limit: Limit = 20,
    before: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None,
    tag: Annotated[str | None, Query(max_length=40)] = None,
) -> Page:
    """The bookmarks, newest first. Follow `next` for older ones: new bookmarks do not shift the pages."""
    items, total, more = store.page(limit, before, tag and tag.lower())
    return Page(items=items, total=total, next=_following(request, items[-1]["id"]) if more else None)


@app.get("/bookmarks/{number}", response_model=Bookmark, responses=described(HTTPStatus.NOT_FOUND))
def show(number: Number) -> Any:
    return store.get(number) or _not_found(number)


@app.patch(
    "/bookmarks/{number}",
    response_model=Bookmark,
    responses=described(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
def change(number: Number, fields: BookmarkChange) -> Any:
    return store.change(number, fields.model_dump(mode="json", exclude_unset=True)) or _not_found(number)


@app.delete(
    "/bookmarks/{number}",
    status_code=HTTPStatus.NO_CONTENT,
    response_model=None,
    responses=described(HTTPStatus.NOT_FOUND),
)
def remove(number: Number) -> Response:
    return Response(status_code=HTTPStatus.NO_CONTENT) if store.remove(number) else _not_found(number)


@app.get("/search", response_model=list[Bookmark])
def search(q: Annotated[str, Query(min_length=1, max_length=200)], limit: Limit = 20) -> Any:
    """Bookmarks that have all the words."""
    if startup.degraded("search"):
        return problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "search is switched off: this instance was started without it; everything else works",
        )
    # Here, not above: this module must import where that one is missing. `startup.yaml` lists both, so it has
    # been imported by the time of the first request.
    from app.search import find

    return find(store, q, limit)


def _following(request: Request, before: int) -> str:
    url = request.url.include_query_params(before=before)
    return f"{url.path}?{url.query}"


def _not_found(number: int) -> Response:
    return problem(HTTPStatus.NOT_FOUND, f"there is no bookmark {number}")
