"""A small client of the protocol that speaks to `soilql lsp` over its standard input and output."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 60.0


class Client:
    """A server with the messages it has sent."""

    def __init__(self, folder: Path, cache: Path) -> None:
        environment = os.environ | {"PYTHONPATH": str(ROOT), "SOILQL_CACHE": str(cache), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "soilql", "lsp", "--stdio"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=folder, env=environment)
        assert self.process.stdin is not None and self.process.stdout is not None
        self._in, self._out = self.process.stdin, self.process.stdout
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._next = 0
        self.notifications: list[dict[str, Any]] = []
        threading.Thread(target=self._listen, args=(self._out,), daemon=True).start()

    def _listen(self, out: IO[bytes]) -> None:
        while (line := out.readline()).strip():
            length = int(line.split(b":")[1])
            while (line := out.readline()).strip():
                pass
            self._messages.put(json.loads(out.read(length)))
        self._messages.put(None)

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._in.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._in.flush()

    def notify(self, method: str, params: Any = None) -> None:
        self._send({"method": method, "params": params or {}})

    def ask(self, method: str, params: Any = None) -> dict[str, Any]:
        """Return the whole answer to a request: it has a `result` or an `error`."""
        self._next += 1
        self._send({"id": self._next, "method": method, "params": params})
        while True:
            message = self._messages.get(timeout=PATIENCE)
            assert message is not None, "the server has ended"
            if message.get("id") == self._next and "method" not in message:
                return message
            self._keep(message)

    def wait(self, method: str, uri: str = "") -> Any:
        """Return the parameters of the next notification of some sort."""
        while True:
            for i, message in enumerate(self.notifications):
                if message["method"] == method and uri in (message["params"].get("uri", ""), ""):
                    return self.notifications.pop(i)["params"]
            message = self._messages.get(timeout=PATIENCE)
            assert message is not None, "the server has ended"
            self._keep(message)

    def _keep(self, message: dict[str, Any]) -> None:
        if "method" in message and "id" in message:
            self._send({"id": message["id"], "result": None})
        elif "method" in message:
            self.notifications.append(message)

    def begin(self, folder: Path, encodings: list[str] | None = None) -> dict[str, Any]:
        general = {} if encodings is None else {"positionEncodings": encodings}
        folders = [{"uri": folder.as_uri(), "name": "specs"}]
        capabilities = {"general": general, "textDocument": {"rename": {"prepareSupport": True}}}
        params = {
            "processId": None,
            "rootUri": folder.as_uri(),
            "capabilities": capabilities,
            "workspaceFolders": folders,
        }
        result: dict[str, Any] = self.ask("initialize", params)["result"]
        self.notify("initialized")
        return result

    def open(self, uri: str, text: str, language: str = "yaml") -> Any:
        """Open a text and return its first findings."""
        item = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})
        return self.wait("textDocument/publishDiagnostics", uri)["diagnostics"]

    def change(self, uri: str, text: str, version: int) -> None:
        document = {"uri": uri, "version": version}
        self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": text}]})

    def at(self, method: str, uri: str, text: str, offset: int, **more: Any) -> dict[str, Any]:
        """Ask about a place, as a client does that counts UTF-16 code units."""
        before = text[:offset].split("\n")
        position = {"line": len(before) - 1, "character": len(before[-1].encode("utf-16-le")) // 2}
        return self.ask(method, {"textDocument": {"uri": uri}, "position": position, **more})

    def end(self) -> int:
        """Shut the server down and return its status."""
        self.ask("shutdown")
        self.notify("exit")
        return self.process.wait(timeout=PATIENCE)


def applied(text: str, edits: list[dict[str, Any]]) -> str:
    """Return a text after edits of the protocol, with UTF-16 columns."""
    lines = text.split("\n")
    starts = [sum(len(line) + 1 for line in lines[:i]) for i in range(len(lines) + 1)]

    def offset(position: dict[str, int]) -> int:
        if position["line"] >= len(lines):
            return len(text)
        encoded = lines[position["line"]].encode("utf-16-le")[: 2 * position["character"]]
        return starts[position["line"]] + len(encoded.decode("utf-16-le"))

    for edit in sorted(edits, key=lambda one: offset(one["range"]["start"]), reverse=True):
        start, end = offset(edit["range"]["start"]), offset(edit["range"]["end"])
        text = text[:start] + edit["newText"] + text[end:]
    return text
