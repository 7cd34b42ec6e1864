"""A stand-in for the service of Weights & Biases: enough of its protocol for the real client to go online.

The client (wandb-core) posts GraphQL to /graphql and lines of history to /files/…/file_stream, and puts files where the
answers tell it to. Everything is kept, to be looked at.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "0123456789abcdef" * 2 + "01234567"
"""An API key as the client expects it: 40 characters."""


class Service(ThreadingHTTPServer):
    """Listens on localhost at a free port; close it with `shutdown`."""

    daemon_threads = True

    def __init__(self, jobs: list[dict[str, Any]] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.runs: dict[str, dict[str, Any]] = {}
        """By id: what the client said of the run (UpsertBucket), and its `lines` of history."""
        self.artifacts: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}
        """What was uploaded, by path."""
        self.alerts: list[str] = []
        self.asked: list[str] = []
        """Names of the GraphQL operations, in order."""
        self.jobs = list(jobs or [])
        """Settings that a sweep's agent is told to run, one set after another."""
        self.sweep: dict[str, Any] = {}
        """The sweep that the jobs are of."""
        self.posts = 0
        self.hangs = False
        self.errors: list[str] = []
        """What this stand-in could not answer."""
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def environment(self) -> dict[str, str]:
        """Variables that send the client here."""
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": KEY, "WANDB_MODE": "online"}

    def history(self, run_id: str) -> list[dict[str, Any]]:
        """The rows that arrived, as the client sent them."""
        lines = self.runs[run_id]["lines"]
        return [json.loads(lines[number]) for number in sorted(lines)]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves in the middle is nothing to tell of; a question that cannot be answered is."""
        if not isinstance(sys.exception(), ConnectionError):
            self.errors.append(traceback.format_exc())

    # ------------------------------------------------------------------------------------------------------- answering

    def answer(self, query: str, values: dict[str, Any]) -> dict[str, Any]:
        """The data of a GraphQL answer."""
        match = re.search(r"(?:query|mutation)\s+(\w+)", query)
        name = match[1] if match else query
        self.asked.append(name)
        method = getattr(self, f"_{name}", None)
        return method(values) if method else {}

    def _Viewer(self, values: dict[str, Any]) -> dict[str, Any]:
        viewer = {"id": "v", "entity": "somebody", "username": "somebody", "email": "", "flags": "{}"}
        return {"viewer": viewer | {"teams": {"edges": []}}}

    def _ServerFeaturesQuery(self, values: dict[str, Any]) -> dict[str, Any]:
        return {"serverInfo": {"features": []}}

    def _RunResumeStatus(self, values: dict[str, Any]) -> dict[str, Any]:
        run = self.runs.get(values["name"])
        owner = {"id": "p", "name": values["project"], "entity": {"id": "e", "name": "somebody"}}
        if run is None:
            return {"model": owner | {"bucket": None}}
        history = self.history(values["name"])
        tail = json.dumps([json.dumps(row) for row in history[-1:]])
        return {
            "model": owner
            | {
                "bucket": self._bucket(run)
                | {
                    "summaryMetrics": json.dumps(history[-1] if history else {}),
                    "logLineCount": 0,
                    "eventsLineCount": 0,
                    "historyTail": tail,
                    "eventsTail": "[]",
                    "tags": run.get("tags") or [],
                    "notes": None,
                    "wandbConfig": json.dumps({"t": 1}),
                }
            }
        }

    def _UpsertBucket(self, values: dict[str, Any]) -> dict[str, Any]:
        name = values.get("name") or next(name for name, run in self.runs.items() if run["storage"] == values["id"])
        new = name not in self.runs
        run = self.runs.setdefault(name, {"lines": {}, "name": name, "storage": f"storage-{name}", "exit_code": None})
        run |= {key: value for key, value in values.items() if value is not None and key not in ("id", "name")}
        return {"upsertBucket": {"bucket": self._bucket(run), "inserted": new}}

    def _bucket(self, run: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": run["storage"],
            "name": run["name"],
            "displayName": run.get("displayName"),
            "description": "",
            "config": run.get("config") or "{}",
            "sweepName": run.get("sweep") or "",
            "project": {"id": "p", "name": run.get("project"), "entity": {"id": "e", "name": "somebody"}},
            "historyLineCount": len(run["lines"]),
        }

    def _RunStoppedStatus(self, values: dict[str, Any]) -> dict[str, Any]:
        return {"project": {"run": {"stopped": False}}}

    def _CreateRunFiles(self, values: dict[str, Any]) -> dict[str, Any]:
        files = [{"name": name, "uploadUrl": f"{self.url}/put/{values['run']}/{name}"} for name in values["files"]]
        return {"createRunFiles": {"runID": values["run"], "uploadHeaders": [], "files": files}}

    def _ArtifactType(self, values: dict[str, Any]) -> dict[str, Any]:
        return {"project": {"artifact": None}}

    def _CreateArtifact(self, values: dict[str, Any]) -> dict[str, Any]:
        self.artifacts.append(values["input"])
        made = {
            "id": f"artifact-{len(self.artifacts)}",
            "state": "PENDING",
            "artifactSequence": {"latestArtifact": None},
        }
        return {"createArtifact": {"artifact": made}}

    def _CreateArtifactManifest(self, values: dict[str, Any]) -> dict[str, Any]:
        address = f"{self.url}/put/{values['artifactID']}/{values['name']}"
        file = {"id": "f", "uploadUrl": address, "uploadHeaders": []}
        return {"createArtifactManifest": {"artifactManifest": {"id": "m", "file": file}}}

    def _CreateArtifactFiles(self, values: dict[str, Any]) -> dict[str, Any]:
        edges: list[dict[str, Any]] = [
            {
                "node": {
                    "storagePath": f"stored/{file['name']}",
                    "uploadUrl": f"{self.url}/put/{file['artifactID']}/{file['name']}",
                    "uploadHeaders": [],
                    "uploadMultipartUrls": None,
                    "artifact": {"id": file["artifactID"]},
                }
            }
            for file in values["input"]["artifactFiles"]
        ]
        return {"createArtifactFiles": {"files": {"edges": edges}}}

    def _CommitArtifact(self, values: dict[str, Any]) -> dict[str, Any]:
        return {"commitArtifact": {"artifact": {"id": values["artifactID"], "digest": "d"}}}

    def _SweepWithRuns(self, values: dict[str, Any]) -> dict[str, Any]:
        sweep = {
            "id": "s",
            "name": "night",
            "state": "RUNNING",
            "config": json.dumps(self.sweep),
            "runs": {"edges": []},
        }
        return {"project": {"sweep": sweep}}

    def _CreateAgent(self, values: dict[str, Any]) -> dict[str, Any]:
        return {"createAgent": {"agent": {"id": "agent"}}}

    def _Heartbeat(self, values: dict[str, Any]) -> dict[str, Any]:
        """The next job, once the agent has none; then nothing more."""
        commands: list[dict[str, Any]] = []
        if not json.loads(values["runState"]):
            if self.jobs:
                args = {name: {"value": value} for name, value in self.jobs.pop(0).items()}
                run = {"type": "run", "run_id": f"job{len(self.jobs)}", "program": self.sweep["program"], "args": args}
                commands.append(run)
            else:
                commands.append({"type": "exit"})
        return {"agentHeartbeat": {"agent": {"id": "agent"}, "commands": json.dumps(commands)}}

    def _NotifyScriptableRunAlert(self, values: dict[str, Any]) -> dict[str, Any]:
        self.alerts.append(values["text"])
        return {"notifyScriptableRunAlert": {"success": True}}


class _Handler(BaseHTTPRequestHandler):
    server: Service
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._reply({})

    def do_PUT(self) -> None:
        self.server.files[self.path.removeprefix("/put/")] = self._body()
        self._reply({})

    def do_POST(self) -> None:
        contents = self._body()
        self.server.posts += 1
        while self.server.hangs:
            time.sleep(0.05)
        if self.path == "/graphql":
            body = json.loads(contents)
            self._reply({"data": self.server.answer(body["query"], body.get("variables") or {})})
        elif match := re.fullmatch(r"/files/[^/]+/[^/]+/([^/]+)/file_stream", self.path):
            body = json.loads(contents)
            run = self.server.runs[match[1]]
            chunk = (body.get("files") or {}).get("wandb-history.jsonl")
            if chunk:
                run["lines"] |= {chunk["offset"] + number: line for number, line in enumerate(chunk["content"])}
            if body.get("complete"):
                run["exit_code"] = body.get("exitcode")
            self._reply({"exitcode": None, "limits": {}})
        else:
            self._reply({})

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _reply(self, data: dict[str, Any]) -> None:
        body = json.dumps(data).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""
