"""What goes over the wire. Knows nothing about the database."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, StringConstraints

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Tag = Annotated[str, StringConstraints(to_lower=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,39}$")]
Notes = Annotated[str, StringConstraints(max_length=10_000)]
Tags = Annotated[list[Tag], Field(max_length=20)]


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewBookmark(_Input):
    url: HttpUrl
    title: Title
    notes: Notes = ""
    tags: Tags = []


class BookmarkChange(_Input):
    """What is left out stays as it is; nothing can be changed to null."""

    url: HttpUrl = Field(default=None)
    title: Title = Field(default=None)
    notes: Notes = Field(default=None)
    tags: Tags = Field(default=None)


class Bookmark(BaseModel):
    id: int
    url: str
    title: str
    notes: str
    tags: list[str]
    created_at: str
    changed_at: str


class Page(BaseModel):
    """Newest first. `next` is the address of the page after this one, null on the last."""

    items: list[Bookmark]
    total: int
    next: str | None


class Readiness(BaseModel):
    status: str
    degraded: list[str] = []
    reason: str = ""


class Problem(BaseModel):
    """RFC 9457."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class Day(BaseModel):
    date: str
    bookmarks: list[Bookmark]


class Digest(BaseModel):
    newest: str | None
    count: int
    days: list[Day]
