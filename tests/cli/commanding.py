"""The command in a directory of its own, to its end."""

import os
import subprocess
import sys


class Command:
    def __init__(self, root):
        self.root = root
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")
        }
        self.environ = inherited | {
            "ORCHESTRATOR_STATE_DIR": str(root / "engine-state"),
            "NO_COLOR": "1",
            "ORCHESTRATOR_IN_CONTAINER": "0",
        }

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def spec(self, text, name="startup.yaml"):
        return self.write(name, "version: 1\nservice: shop\n" + text)

    def __call__(self, *words, env=None, timeout=40):
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator", *words], cwd=self.root, env=self.environ | (env or {}), capture_output=True,
            timeout=timeout, stdin=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return done
