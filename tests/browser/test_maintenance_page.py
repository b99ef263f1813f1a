"""The maintenance page in a real browser: by eye and by axe, in both colour schemes, narrow, wide and zoomed."""

import contextlib
import os
import socket
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import chromium
import npm
import pytest

from orchestrator.status.maintenance import Config, command

HERE = Path(__file__).parent
AXE = Path("axe-core") / "axe.min.js"
CONFIG = Config(service="arkalia-api", live="/live")
LONG = Config(service="a-service-with-a-name-that-is-much-longer-than-anybody-would-ever-want-it-to-be")
LOOKS = {
    "wide": {"width": 1440, "height": 900},
    "narrow": {"width": 320, "height": 640},
    "zoomed": {"width": 1280, "height": 800, "zoom": 2},
    "zoomed-narrow": {"width": 640, "height": 800, "zoom": 2},
}


@contextlib.contextmanager
def maintained(listener, config=CONFIG):
    """Maintenance on a socket, until the end of the block."""
    reader, writer = os.pipe()
    argv = command(listener.fileno(), config, reader)
    process = subprocess.Popen(argv, pass_fds=(listener.fileno(), reader), env={})
    os.close(reader)
    try:
        yield
    finally:
        os.close(writer)
        assert process.wait(10) == 0


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if reason := chromium.missing():
        pytest.skip(reason)
    with chromium.opened(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def listener():
    """Listening at once: a browser that comes before maintenance waits for it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture(scope="module")
def url(listener):
    with maintained(listener):
        yield "http://{}:{}/cart?x=1".format(*listener.getsockname())


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    return request.param


@pytest.fixture(params=LOOKS)
def look(request, scheme):
    return LOOKS[request.param] | {"scheme": scheme}


@pytest.fixture(scope="module")
def axe():
    place, reason = npm.install(HERE, AXE, "axe-core")
    if reason:
        pytest.skip(reason)
    return (place / "node_modules" / AXE).read_text()


def violations(browser, axe):
    browser.value(axe + "; 0")
    found = browser.value("axe.run(document, {resultTypes: ['violations', 'incomplete']})")
    return [(each["id"], each["nodes"][0]["html"]) for each in found["violations"] + found["incomplete"]]


def fits(browser):
    """Whether nobody must scroll sideways to read it."""
    return browser.value("document.documentElement.scrollWidth <= innerWidth")


def test_axe_finds_nothing_and_nobody_scrolls_sideways(browser, url, axe, look):
    browser.look(**look)
    browser.open(url)
    if folder := os.environ.get("SCREENSHOTS"):
        name = "-".join(str(each) for each in look.values())
        Path(folder, f"maintenance-{name}.png").write_bytes(browser.picture())
    assert violations(browser, axe) == []
    assert fits(browser)


def test_text_alone_can_be_twice_as_large(browser, url, scheme):
    browser.look(width=320, height=640, scheme=scheme)
    browser.open(url)
    browser.value("document.documentElement.style.fontSize = '200%'")
    assert fits(browser)


def test_a_long_name_wraps(browser):
    with socket.create_server(("127.0.0.1", 0)) as own, maintained(own, LONG):
        browser.look(width=320)
        browser.open("http://{}:{}/".format(*own.getsockname()))
        assert fits(browser)


def test_its_own_style_is_let_through_and_nothing_else_is_asked_for(browser, url):
    browser.events.clear()
    browser.look(width=1440)
    browser.open(url)
    assert browser.value("getComputedStyle(document.body).display") == "grid"
    asked = {each["request"]["url"] for each in browser.told("Network.requestWillBeSent")}
    assert {urlsplit(each).netloc for each in asked} == {urlsplit(url).netloc}
    said = [each["entry"]["text"] for each in browser.told("Log.entryAdded")]
    assert [each for each in said if "status of 503" not in each] == []
    assert browser.told("Runtime.exceptionThrown") == []


def test_what_would_be_put_into_the_page_is_refused(browser, url):
    browser.events.clear()
    browser.open(url)
    browser.value("document.body.append(Object.assign(document.createElement('img'), {src: '/stolen.png'}))")
    browser.value("document.head.append(Object.assign(document.createElement('style'), {textContent: 'body {display: none}'}))")  # fmt: skip
    assert browser.value("getComputedStyle(document.body).display") == "grid"
    said = " ".join(each["entry"]["text"] for each in browser.told("Log.entryAdded"))
    assert "Content Security Policy" in said
    assert not [
        each for each in browser.told("Network.responseReceived") if "stolen" in each["response"]["url"]
    ]


def test_the_two_schemes_differ_and_follow_the_system(browser, url):
    found = []
    for scheme in ("light", "dark"):
        browser.look(width=800, scheme=scheme)
        browser.open(url)
        found.append(browser.value("getComputedStyle(document.body).color"))
    assert len(set(found)) == 2


def test_nothing_moves_for_who_wants_that(browser, url):
    browser.look(width=800)
    browser.open(url)
    assert browser.value("document.getAnimations().length") == 0
    browser.look(width=800, **{"prefers-reduced-motion": "no-preference"})
    browser.open(url)
    assert browser.value("Promise.all(document.getAnimations().map(each => each.finished)).then(all => all.length)") == 1  # fmt: skip


def test_the_keyboard_reaches_the_link_and_shows_where_it_is(browser, url):
    browser.look(width=800)
    browser.open(url)
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
    assert browser.value("document.activeElement.textContent") == "Try again"
    assert browser.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"


class App(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<h1>the shop</h1>" + self.path.encode())

    def log_message(self, *_):
        pass


def test_trying_again_comes_to_the_app_once_it_is_there(browser):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = "http://{}:{}/cart?x=1".format(*listener.getsockname())
        browser.look(width=800)
        with maintained(listener):
            browser.open(url)
            browser.click("a")
            assert browser.value("document.querySelector('h1').textContent") == "We will be back shortly"
        app = HTTPServer(listener.getsockname(), App, bind_and_activate=False)
        app.socket.close()
        app.socket = listener
        thread = threading.Thread(target=app.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            browser.click("a")
            assert browser.value("document.body.textContent") == "the shop/cart?x=1"
        finally:
            app.shutdown()
            thread.join(10)
