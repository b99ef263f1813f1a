"""The least of a framework, for services whose framework is not the point: a real one takes half a second to import."""

import inspect
import json
import traceback


class Answer:
    def __init__(self, content=None, status_code=200):
        self.content = content
        self.status_code = status_code


class App:
    def __init__(self, lifespan=None):
        self.lifespan = lifespan
        self.functions = {}

    def get(self, path):
        def add(function):
            self.functions[path] = function
            return function

        return add

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope["path"], send)

    async def _live(self, receive, send):
        await receive()
        running = self.lifespan(self) if self.lifespan else None
        try:
            if running:
                await running.__aenter__()
        except BaseException:
            await send({"type": "lifespan.startup.failed", "message": traceback.format_exc()})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if running:
            await running.__aexit__(None, None, None)
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, path, send):
        function = self.functions.get(path)
        found = function() if function else Answer(status_code=404)
        if inspect.isawaitable(found):
            found = await found
        if not isinstance(found, Answer):
            found = Answer(found)
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": found.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(found.content).encode()})
