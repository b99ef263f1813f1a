"""A YAML language server as an editor runs it: started with --stdio, spoken to in LSP."""

import json
import os
import queue
import subprocess
import threading


class LanguageServer:
    """One server with one workspace. Every wait ends after `PATIENCE` seconds."""

    PATIENCE = 30

    def __init__(self, command, folder, settings):
        self.settings = settings
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder
        )
        self.messages = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.number = 0
        uri = f"file://{folder}"
        self.request("initialize", {
            "processId": os.getpid(), "rootUri": uri, "workspaceFolders": [{"uri": uri, "name": "project"}],
            "capabilities": {
                "workspace": {"configuration": True},
                "textDocument": {
                    "hover": {"contentFormat": ["markdown"]},
                    "completion": {"completionItem": {"documentationFormat": ["markdown"]}},
                },
            },
        })  # fmt: skip
        self.notify("initialized", {})

    def close(self):
        self.request("shutdown", None)
        self.notify("exit", None)
        self.process.wait(self.PATIENCE)
        self.process.stdin.close()
        self.reader.join(self.PATIENCE)
        self.process.stdout.close()

    def notify(self, method, params):
        self._send({"method": method, "params": params})

    def request(self, method, params):
        self.number += 1
        number = self.number
        self._send({"id": number, "method": method, "params": params})
        return self._until(lambda message: message.get("id") == number and "method" not in message)["result"]

    def open(self, uri, text):
        """Opens a document and gives the diagnostics it gets."""
        self.notify(
            "textDocument/didOpen",
            {"textDocument": {"uri": uri, "languageId": "yaml", "version": 1, "text": text}},
        )
        found = self._until(
            lambda message: (
                message.get("method") == "textDocument/publishDiagnostics" and message["params"]["uri"] == uri
            )
        )
        return found["params"]["diagnostics"]

    def complete(self, uri, line, column):
        found = self.request("textDocument/completion", _at(uri, line, column))
        return {each["label"]: each for each in found["items"]}

    def hover(self, uri, line, column):
        found = self.request("textDocument/hover", _at(uri, line, column))
        return found["contents"]["value"] if found else ""

    def _until(self, wanted):
        while True:
            message = self.messages.get(timeout=self.PATIENCE)
            if wanted(message):
                return message
            if "id" in message and "method" in message:
                self._answer(message)

    def _answer(self, message):
        """What the server asks the editor: its settings, and leave to register things."""
        result = None
        if message["method"] == "workspace/configuration":
            result = [self.settings.get(each.get("section")) for each in message["params"]["items"]]
        self._send({"id": message["id"], "result": result})

    def _send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def _read(self):
        stream = self.process.stdout
        while header := stream.readline():
            length = int(header.split(b":")[1])
            while stream.readline().strip():
                pass
            self.messages.put(json.loads(stream.read(length)))


def _at(uri, line, column):
    return {"textDocument": {"uri": uri}, "position": {"line": line, "character": column}}
