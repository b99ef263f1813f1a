"""A service on disk, and its rehearsal as a real command."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

APP = """
import os
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            await send({"type": (await receive())["type"] + ".complete"})
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": os.environ.get("ORCHESTRATOR_DEGRADED", "").encode()})
"""


class Service:
    def __init__(self, root):
        self.root = root
        self.temporary = root.parent / "temporary"
        self.temporary.mkdir()
        root.mkdir()
        self.write("main.py", APP)
        kept = {name: text for name, text in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
        self.environ = kept | {
            "NO_COLOR": "1", "TMPDIR": str(self.temporary), "PATH": os.path.dirname(sys.executable) + os.pathsep + kept["PATH"],
        }  # fmt: skip

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def spec(self, text, launch="{app: 'main:app', host: 127.0.0.1, port: 8000}"):
        self.write(
            "startup.yaml", "version: 1\nservice: shop\n" + text + (f"\nlaunch: {launch}\n" if launch else "")
        )
        return self

    def start(self, *words, before=()):
        return subprocess.Popen(
            [*before, sys.executable, "-m", "orchestrator", "rehearse", *words], cwd=self.root, env=self.environ, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def rehearse(self, *words, before=(), timeout=240):
        process = self.start(*words, before=before)
        try:
            out, err = process.communicate(timeout=timeout)
        finally:
            process.kill()
        assert "Traceback" not in err, err
        process.out, process.err = out, err
        return process

    def proved(self, *names, code=0, words=()):
        """The rows of these items, really made to fail; `(id, reason)` → row."""
        chosen = [word for name in names for word in ("--break", name)]
        done = self.rehearse(*words, "--prove", "--format", "json", *chosen)
        assert done.returncode == code, done.out + done.err
        return {(each["break"], each["reason"]): each for each in json.loads(done.out)["rehearsals"]}

    def alive(self):
        """The command lines of what runs with this service's environment, wherever it is."""
        found, mark = [], f"TMPDIR={self.temporary}".encode()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        return found

    def fingerprint(self):
        """Everything below the service's directory, with its content, modes and times."""
        found = hashlib.sha256()
        for path in sorted(self.root.rglob("*")):
            look = path.lstat()
            found.update(f"{path} {look.st_mode} {look.st_size} {look.st_mtime_ns}\n".encode())
            found.update(path.read_bytes() if path.is_file() else b"")
        return found.hexdigest()
