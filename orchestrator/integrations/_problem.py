"""The answer in place of a degraded feature: a problem of RFC 9457."""

from __future__ import annotations

import json

from orchestrator import startup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STATUS = 503
MEDIA_TYPE = "application/problem+json"
TRY_AGAIN_LATER = 1013
"""The close code of a WebSocket."""


def document(feature: str, path: str, detail: str = "") -> dict[str, object]:
    """What anybody may know: which feature is off, for now. The reason is in the log."""
    from urllib.parse import quote

    return {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": STATUS,
        "detail": detail or f"{feature} is off at the moment",
        "instance": quote(path),
        "feature": feature,
    }


def headers(feature: str) -> dict[str, str]:
    """All headers but type and length."""
    found = startup.degradation(feature)
    retry = {"Retry-After": str(max(1, round(found.recheck)))} if found and found.recheck else {}
    return {"Cache-Control": "no-store", **retry}


def answer(feature: str, path: str) -> tuple[list[tuple[str, str]], bytes]:
    """Headers and body of the whole answer."""
    body = json.dumps(document(feature, path)).encode()
    own = {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body)), **headers(feature)}
    return list(own.items()), body


class Prefixes:
    """Which feature a path belongs to: `/search` is that path and all below it, not `/searching`."""

    def __init__(self, features: Mapping[str, str]) -> None:
        wrong = [prefix for prefix in features if not prefix.startswith("/")]
        if wrong:
            raise ValueError(f"a path must start with a slash, got `{wrong[0]}`")
        self._features = [(prefix.rstrip("/"), feature) for prefix, feature in features.items()]

    def off(self, path: str) -> str:
        """The degraded feature that the path belongs to; empty if it may be served."""
        return next((feature for feature in self._of(path) if startup.degraded(feature)), "")

    def _of(self, path: str) -> Iterable[str]:
        return (
            feature for prefix, feature in self._features if path == prefix or path.startswith(prefix + "/")
        )
