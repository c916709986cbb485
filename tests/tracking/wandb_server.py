"""A W&B server on the loopback address, as much of one as a run needs."""

from __future__ import annotations

import base64
import gzip
import json
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tracking import wandb_api_server, wandb_sweeps_server
from tracking.wandb_sweeps_server import Sweep


@dataclass
class Seen:
    """What reached the server.

    Attributes:
        url: its address.
        operations: names of the GraphQL operations.
        runs: by id, the variables of its last UpsertBucket.
        stream: by id, the lines of each file of its file stream.
        exit_codes: by id.
        uploads: path of each file that was put.
        files: content of each file that was put, by its path.
        sweeps: by name.
        views: workspaces by id, as they were sent.
        artifacts: as they were created.
        headers: all Authorization headers, decoded.
        project: the one that there is.
    """

    url: str = ""
    operations: list[str] = field(default_factory=list)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    stream: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    exit_codes: dict[str, int] = field(default_factory=dict)
    uploads: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    headers: list[str] = field(default_factory=list)
    sweeps: dict[str, Sweep] = field(default_factory=dict)
    views: dict[str, dict[str, Any]] = field(default_factory=dict)
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    project: str = "experiments"

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
    project = {"id": "p", "name": "experiments", "entity": {"id": "e", "name": "me"}}
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


def answer(
    operation: str, query: str, variables: dict[str, Any], seen: Seen
) -> dict[str, Any] | None:
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
        files = [{"name": n, "uploadUrl": f"{seen.url}/put/{n}"} for n in names]
        return {
            "createRunFiles": {
                "runID": variables.get("run", "r"),
                "uploadHeaders": [],
                "files": files,
            }
        }
    of_sweeps = wandb_sweeps_server.answer(operation, variables, seen)
    return of_sweeps or wandb_api_server.answer(operation, query, variables, seen)


@contextmanager
def wandb_server() -> Iterator[Seen]:
    """Serve on a free port for the length of the block."""
    seen = Seen()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: Any) -> None:
            pass

        def _body(self) -> bytes:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw

        def _send(self, content: Any) -> None:
            raw = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def do_GET(self) -> None:
            self._send({})

        def do_PUT(self) -> None:
            path = self.path.removeprefix("/put/")
            seen.files[path] = self._body()
            seen.uploads.append(path)
            self._send({})

        def do_POST(self) -> None:
            raw = self._body()
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
            data = answer(operation, query, body.get("variables") or {}, seen)
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
        server.shutdown()
        server.server_close()
        thread.join()
