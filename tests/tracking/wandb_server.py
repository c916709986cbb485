"""A W&B server on the loopback address, as much of one as a run needs."""

from __future__ import annotations

import base64
import gzip
import json
import re
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tracking import wandb_api_server, wandb_sweeps_server
from tracking.wandb_sweeps_server import Sweep

CANARY = "c0ffee" * 6 + "cafe"
"""A key for the server, which must not stand in any file."""


@dataclass
class Seen:
    """What reached the server.

    Attributes:
        url: its address.
        operations: names of the GraphQL operations.
        runs: by id, the variables of its last UpsertBucket.
        stream: by id, the lines of each file of its file stream.
        exit_codes: by id.
        files: content of each file that was put, by its path: of one of a run, RUN/NAME.
        sweeps: by name.
        views: workspaces by id, as they were sent.
        artifacts: as they were created.
        headers: all Authorization headers, decoded.
        project: the one that there is.
        trouble: says of the path and body of a request what comes of it: `hang`, `error` (500) or
            `reset`; None for the answer.
        closed: that the server has ended.
    """

    url: str = ""
    operations: list[str] = field(default_factory=list)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    stream: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    exit_codes: dict[str, int] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    headers: list[str] = field(default_factory=list)
    sweeps: dict[str, Sweep] = field(default_factory=dict)
    views: dict[str, dict[str, Any]] = field(default_factory=dict)
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    project: str = "experiments"
    trouble: Callable[[str, bytes], str | None] = lambda path, body: None
    closed: threading.Event = field(default_factory=threading.Event)

    def history(self, run_id: str) -> list[dict[str, Any]]:
        """Return the logged rows of a run."""
        return [json.loads(line) for line in self.stream[run_id].get("wandb-history.jsonl", [])]

    def summary(self, run_id: str) -> dict[str, Any]:
        """Return the summary of a run."""
        lines = self.stream[run_id].get("wandb-summary.json", [])
        return json.loads(lines[-1]) if lines else {}


def bucket(variables: dict[str, Any], seen: Seen) -> dict[str, Any]:
    """Answer UpsertBucket."""
    run_id = variables.get("name") or variables.get("id")
    seen.runs.setdefault(run_id, {}).update({k: v for k, v in variables.items() if v is not None})
    entity = {"id": "e", "name": variables.get("entity") or "me"}
    project = {"id": "p", "name": variables.get("project") or "experiments", "entity": entity}
    return {
        "upsertBucket": {
            "bucket": {
                "id": run_id,
                "name": run_id,
                "displayName": variables.get("displayName") or run_id,
                "description": None,
                "config": variables.get("config"),
                "sweepName": variables.get("sweep"),
                "project": project,
                "historyLineCount": 0,
            },
            "inserted": True,
        }
    }


def resume_status(run_id: str, seen: Seen) -> dict[str, Any] | None:
    """Return what a client needs to go on with a run, or None for one that is not known."""
    if run_id not in seen.runs:
        return None
    rows = seen.stream.get(run_id, {}).get("wandb-history.jsonl", [])
    return {
        "id": run_id,
        "name": run_id,
        "displayName": run_id,
        "summaryMetrics": json.dumps(seen.summary(run_id)),
        "logLineCount": 0,
        "historyLineCount": len(rows),
        "eventsLineCount": 0,
        "historyTail": json.dumps(rows[-1:]),
        "eventsTail": "[]",
        "config": seen.runs[run_id].get("config") or "{}",
        "notes": None,
        "tags": [],
        "wandbConfig": '{"t": 1}',
    }


def name_of(query: str) -> str:
    """Return the name of a GraphQL operation, which not all of W&B's clients send beside it."""
    named = re.search(r"(?:query|mutation)\s+(\w+)", query)
    return named[1] if named else ""


def answer(operation: str, variables: dict[str, Any], seen: Seen) -> dict[str, Any] | None:
    """Return the data of a GraphQL answer, or None for an operation that is not known here."""
    viewer = {"id": "u", "entity": "me", "username": "me", "flags": "{}",
              "teams": {"edges": [{"node": {"name": "me"}}]}}  # fmt: skip
    if operation == "Viewer":
        return {"viewer": viewer}
    if operation == "UpsertBucket":
        return bucket(variables, seen)
    if operation == "RunResumeStatus":
        return {"model": {"id": "p", "name": "experiments", "entity": {"id": "e", "name": "me"},
                          "bucket": resume_status(variables["name"], seen)}}  # fmt: skip
    if operation == "CreateRunFiles":
        names = variables.get("files", [])
        run_id = variables["run"]
        files = [{"name": n, "uploadUrl": f"{seen.url}/put/{run_id}/{n}"} for n in names]
        return {
            "createRunFiles": {
                "runID": run_id,
                "uploadHeaders": [],
                "files": files,
            }
        }
    of_sweeps = wandb_sweeps_server.answer(operation, variables, seen)
    return of_sweeps or wandb_api_server.answer(operation, variables, seen)


@contextmanager
def wandb_server() -> Iterator[Seen]:
    """Serve on a free port for the length of the block."""
    seen = Seen()
    connections: set[socket.socket] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            connections.add(self.connection)

        def finish(self) -> None:
            connections.discard(self.connection)
            super().finish()

        def log_message(self, *arguments: Any) -> None:
            pass

        def _body(self) -> bytes:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw

        def _is_in_trouble(self, body: bytes) -> bool:
            """Do what the server is told to do in the place of an answer, if anything."""
            how = seen.trouble(self.path, body)
            if how == "hang":
                seen.closed.wait()
            elif how == "error":
                self.send_error(500)
            if how is not None:
                self.close_connection = True
            if how in ("hang", "reset"):
                self.connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
                self.connection.close()
            return how is not None

        def _send(self, content: Any) -> None:
            self._send_bytes(json.dumps(content).encode(), "application/json")

        def _send_bytes(self, raw: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def do_GET(self) -> None:
            """Give a file that was put; anything else asks whether the server is there."""
            if self._is_in_trouble(b""):
                return
            content = seen.files.get(self.path.removeprefix("/get/"), b"{}")
            self._send_bytes(content, "application/octet-stream")

        def do_PUT(self) -> None:
            content = self._body()
            if self._is_in_trouble(content):
                return
            seen.files[self.path.removeprefix("/put/")] = content
            self._send({})

        def do_POST(self) -> None:
            raw = self._body()
            if self._is_in_trouble(raw):
                return
            if not raw.startswith(b"{") or b"\n{" in raw:
                self._send({})  # telemetry, line by line
                return
            body = json.loads(raw)
            word = self.headers.get("Authorization", "").removeprefix("Basic ")
            seen.headers.append(base64.b64decode(word).decode() if word else "")
            if self.path.endswith("/file_stream"):
                self._send(self._stream(body))
                return
            query = body.get("query") or ""
            operation = body.get("operationName") or name_of(query)
            seen.operations.append(operation)
            data = answer(operation, body.get("variables") or {}, seen)
            self._send({"data": data} if data else {"errors": [{"message": "not here"}]})

        def _stream(self, body: dict[str, Any]) -> dict[str, Any]:
            run_id = self.path.split("/")[-2]
            files = seen.stream.setdefault(run_id, {})
            for name, part in (body.get("files") or {}).items():
                lines = files.setdefault(name, [])
                del lines[part.get("offset", 0) :]
                lines += part.get("content", [])
            if body.get("complete"):
                seen.exit_codes[run_id] = body.get("exitcode", 0)
            return {"limits": {}}

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """Let clients go as they please: W&B's service drops connections when it stops."""
            if not isinstance(sys.exc_info()[1], ConnectionError):
                super().handle_error(request, client_address)

    server = Server(("127.0.0.1", 0), Handler)
    seen.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        seen.closed.set()
        server.shutdown()
        server.server_close()
        for connection in list(connections):  # a client that keeps one would still be served
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        thread.join()
