"""The API: `helloria.core:app`."""

import os

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from modules.reflexia.core import measure

from orchestrator import startup

app = FastAPI(title="arkalia-api")


@app.get("/health")
async def health():
    return {"status": "ok"}


@app.get("/")
async def index():
    """Who this is, and what it was started without."""
    degraded = os.environ.get("ORCHESTRATOR_DEGRADED", "")
    return {"service": app.title, "degraded": degraded.split(",") if degraded else []}


@app.get("/reflexia")
def reflexia():
    """How the machine is doing."""
    return measure()


@app.get("/zeroia")
def zeroia():
    """What should be done about it."""
    if startup.degraded("zeroia"):
        return _off("zeroia")
    from modules.zeroia.core import decide

    return decide(measure())


@app.get("/assistantia")
def assistantia(question: str):
    """An answer in plain words."""
    if startup.degraded("assistantia"):
        return _off("assistantia")
    from modules.assistantia.core import answer

    return {"question": question, "answer": answer(question, measure())}


def _off(feature):
    detail = f"{feature} is switched off: this instance was started without it"
    body = {"title": "Service Unavailable", "status": 503, "detail": detail}
    return JSONResponse(body, 503, media_type="application/problem+json")
