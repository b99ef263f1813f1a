"""Errors as `application/problem+json`: what went wrong, for people and machines alike."""

from http import HTTPStatus

from fastapi.responses import JSONResponse

from app.models import Problem


def problem(status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    body = Problem(title=status.phrase, status=status, detail=detail)
    return JSONResponse(body.model_dump(), status, headers, media_type="application/problem+json")


def described(*statuses: HTTPStatus) -> dict[int | str, dict[str, object]]:
    """The same for OpenAPI: which problems a route answers with."""
    return {
        int(status): {
            "description": status.phrase,
            "content": {"application/problem+json": {"schema": Problem.model_json_schema()}},
        }
        for status in statuses
    }
