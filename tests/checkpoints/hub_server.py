"""A stand-in for the Hugging Face Hub on localhost: the endpoints that pushing and pulling a model go through.

What they take and give is what huggingface_hub's own client sends and expects: account, creating a repository, checking
the model card, upload modes, Git LFS uploads, commits as lines of JSON, a model's files, and the files.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_good"
READ_ONLY_TOKEN = "hf_reader"


@dataclass
class Repository:
    """A model: its files at each commit, and where its branches stand."""

    private: bool
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        """Add or replace files; gives the commit's name."""
        tree = {**self.commits.get(self.branches.get(branch, ""), {}), **files}
        name = hashlib.sha1(repr((len(self.commits), sorted(tree))).encode()).hexdigest()
        self.commits[name] = tree
        self.branches[branch] = name
        return name


@dataclass
class Hub:
    """What the stand-in holds, and what was asked of it."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def serve() -> Iterator[Hub]:
    """The stand-in, listening on a free port of localhost."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Requests,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Requests(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing is printed."""

    def do_HEAD(self) -> None:
        self.answer_file(body=False)

    def do_GET(self) -> None:
        parts = self.parts()
        if parts[:2] == ["api", "models"]:
            self.answer_model(parts)
        else:
            self.answer_file(body=True)

    def do_PUT(self) -> None:
        data = self.body()
        oid = self.parts()[-1]
        if hashlib.sha256(data).hexdigest() != oid:
            return self.reply(400, {"error": "another file was announced"})
        self.hub.blobs[oid] = data
        return self.reply(200, {})

    def do_POST(self) -> None:
        parts, data = self.parts(), self.body()
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if parts == ["api", "validate-yaml"]:
            return self.reply(200, {"errors": [], "warnings": []})
        if token not in (TOKEN, READ_ONLY_TOKEN):
            return self.reply(401, {"error": "Invalid credentials in Authorization header"})
        if token == READ_ONLY_TOKEN:
            return self.reply(403, {"error": "You need write access"})
        if parts == ["api", "repos", "create"]:
            return self.create(json.loads(data))
        if parts[-3:] == ["lfs", "objects", "batch"]:
            objects = [
                {
                    "oid": file["oid"],
                    "size": file["size"],
                    "actions": {"upload": {"href": f"{self.hub.url}/blobs/{file['oid']}"}},
                }
                for file in json.loads(data)["objects"]
            ]
            return self.reply(200, {"transfer": "basic", "objects": objects})
        repository = self.hub.repositories["/".join(parts[2:4])]
        if parts[4] == "preupload":
            files = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                    "shouldIgnore": False,
                }
                for file in json.loads(data)["files"]
            ]
            return self.reply(200, {"files": files})
        changed = {}
        for line in data.splitlines():
            item = json.loads(line)
            if item["key"] == "file":
                changed[item["value"]["path"]] = base64.b64decode(item["value"]["content"])
            elif item["key"] == "lfsFile":
                changed[item["value"]["path"]] = self.hub.blobs[item["value"]["oid"]]
        name = repository.commit(changed, parts[5])
        page = f"{self.hub.url}/{'/'.join(parts[2:4])}/commit/{name}"
        return self.reply(200, {"success": True, "commitOid": name, "commitUrl": page})

    def create(self, wish: dict[str, Any]) -> None:
        name = f"{wish['organization']}/{wish['name']}"
        page = {"url": f"{self.hub.url}/{name}", "name": name, "id": name}
        if name in self.hub.repositories:
            return self.reply(409, {**page, "error": "You already created this model repo"})
        repository = self.hub.repositories[name] = Repository(wish.get("visibility") == "private")
        repository.commit({".gitattributes": b"*.safetensors filter=lfs\n"})
        return self.reply(200, page)

    def answer_model(self, parts: list[str]) -> None:
        name = "/".join(parts[2:4])
        found = self.find(name, parts[5] if len(parts) > 5 else "main")
        if found is None:
            return None
        commit, files = found
        siblings = [{"rfilename": file, "size": len(data)} for file, data in files.items()]
        return self.reply(200, {"id": name, "sha": commit, "siblings": siblings, "tags": [], "private": False})

    def answer_file(self, body: bool) -> None:
        parts = self.parts()
        found = self.find("/".join(parts[:2]), parts[3])
        if found is None:
            return None
        commit, files = found
        data = files.get("/".join(parts[4:]))
        if data is None:
            return self.reply(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
        headers = {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha1(data).hexdigest()}"'}
        return self.reply(200, data, headers, body)

    def find(self, name: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """The commit and files of a revision; where there is none, the error is sent."""
        repository = self.hub.repositories.get(name)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if repository is None or (repository.private and token != TOKEN):
            self.reply(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
            return None
        commit = repository.branches.get(revision, revision)
        if commit not in repository.commits:
            self.reply(404, {"error": "Invalid rev id"}, {"X-Error-Code": "RevisionNotFound"})
            return None
        return commit, repository.commits[commit]

    def parts(self) -> list[str]:
        self.hub.requests.append(f"{self.command} {self.path}")
        return [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def reply(
        self, status: int, content: dict[str, Any] | bytes, headers: dict[str, str] | None = None, body: bool = True
    ) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if body and self.command != "HEAD":
            self.wfile.write(data)
