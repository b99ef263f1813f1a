"""A real Chromium without a window, spoken to in its own DevTools protocol."""

import contextlib
import json
import os
import shutil
import subprocess
import time

from websockets.sync.client import connect

FLAGS = ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-default-browser-check",
         "--disable-features=OptimizationHints,MediaRouter,Translate")  # fmt: skip
PATIENCE = 60.0


def missing():
    """Why there is no browser here; empty when there is one."""
    return "" if program() else "chromium is not installed: make services"


def program():
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextlib.contextmanager
def opened(profile):
    """A browser of its own, with one page."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # its sandbox refuses root
    with (profile / "said.txt").open("w") as said:
        process = subprocess.Popen(
            [program(), *FLAGS, *sandbox, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=os.environ | {"HOME": str(profile)},
        )  # fmt: skip
    try:
        with connect(_address(process, profile), max_size=1 << 26, compression=None) as connection:
            yield Chromium(connection)
    finally:
        process.kill()
        process.wait()


def _address(process, profile):
    """Where it listens, as it writes it down."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(FileNotFoundError, ValueError):
            port, path = (profile / "DevToolsActivePort").read_text().splitlines()
            return f"ws://127.0.0.1:{port}{path}"
        time.sleep(0.02)
    raise AssertionError((profile / "said.txt").read_text())


class Chromium:
    """One page of a browser."""

    def __init__(self, connection):
        self.connection = connection
        self.number, self.events = 0, []
        self.page = ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.page = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        self.connection.send(json.dumps(message | ({"sessionId": self.page} if self.page else {})))
        while (answer := self._received(PATIENCE)).get("id") != self.number:
            pass
        assert "error" not in answer, (method, answer)
        return answer["result"]

    def _received(self, within):
        message = json.loads(self.connection.recv(within))
        if "method" in message:
            self.events.append(message)
        return message

    def until(self, method, before):
        """Waits for an event that comes after the first `before`."""
        end = time.monotonic() + PATIENCE
        while not any(each["method"] == method for each in self.events[before:]):
            self._received(max(0.0, end - time.monotonic()))

    def open(self, url):
        before = len(self.events)
        self.call("Page.navigate", url=url)
        self.until("Page.loadEventFired", before)

    def click(self, selector):
        """As a person does, on the middle of it; returns when the page that follows is there."""
        box = self.value(f"(r => [r.x + r.width / 2, r.y + r.height / 2])(document.querySelector({selector!r}).getBoundingClientRect())")  # fmt: skip
        before = len(self.events)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)
        self.until("Page.loadEventFired", before)

    def value(self, expression):
        """What an expression comes to in the page; a promise is awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def look(self, *, width, height=800, zoom=1, scheme="light", **features):
        """The window: a zoomed one has fewer, larger pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=round(width / zoom), height=round(height / zoom),
                  deviceScaleFactor=zoom, mobile=False)  # fmt: skip
        chosen = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce", **features}
        given = [{"name": name, "value": value} for name, value in chosen.items()]
        self.call("Emulation.setEmulatedMedia", media="screen", features=given)

    def told(self, method):
        return [each["params"] for each in self.events if each["method"] == method]

    def picture(self):
        import base64

        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
