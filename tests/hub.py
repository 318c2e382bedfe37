"""A small Hugging Face Hub on this machine, for the real client to talk to: the API routes and files it asks for, and failures.

hub = FakeHub(); hub.add("datasets", "owner/name", {"data/train.jsonl": b"..."}, card={"license": "mit"})
with hub.serving(): ...  # HF_ENDPOINT=hub.url

Answers are as the client of huggingface_hub 2.4 reads them; what the Hub itself says was not seen from here.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PIECE = 2**16
LARGE = 2**15  # bytes from which a model's file is stored by its SHA-256 (Git LFS)


@dataclass
class Repo:
    """A repository.

    `gated` and `private` want `token`: the one for its files, the other for everything. `fails` is a status every request gets,
    with `headers`. `cut` closes every file after that many bytes, `cuts` one file at each of these offsets, once. `wrong` sends
    so many large files with a bit flipped. `whole` knows no ranges. `fields` goes into what is told of a model.
    """

    kind: str
    name: str
    files: dict[str, bytes]
    card: dict[str, Any] = field(default_factory=dict)
    gated: bool = False
    token: str = ""
    fails: int = 0
    cut: int | None = None
    delay: float = 0.0
    private: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    wrong: int = 0
    whole: bool = False
    fields: dict[str, Any] = field(default_factory=dict)


class FakeHub(http.server.ThreadingHTTPServer):
    """Serves `repos`, sends on what has `moved`, and writes down every request as (method, path, token) in `asked`.

    Tokens in `refused` are answered with 401. `elsewhere` is another Hub to which large files are sent on, as to a CDN, and which
    the list of models names as its next page. `served` counts the bytes of each file that were sent.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repos: dict[tuple[str, str], Repo] = {}
        self.moved: dict[str, str] = {}  # path -> where it is now
        self.asked: list[tuple[str, str, str]] = []
        self.served: Counter[str] = Counter()
        self.refused: set[str] = set()
        self.elsewhere: FakeHub | None = None

    @property
    def url(self) -> str:
        """What HF_ENDPOINT is to be."""
        return f"http://127.0.0.1:{self.server_port}"

    def add(self, kind: str, name: str, files: dict[str, bytes], **about: Any) -> Repo:
        """A repository of kind "datasets" or "models"; `about` sets other fields of `Repo`."""
        repo = self.repos[kind, name] = Repo(kind, name, files, **about)
        return repo

    @contextlib.contextmanager
    def serving(self) -> Iterator[FakeHub]:
        """Answers for the length of the block."""
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no failure of the test."""


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    server: FakeHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer()

    def do_HEAD(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def answer(self, body: bytes = b"") -> None:
        """Find the repository and what of it is asked for."""
        path = unquote(urlsplit(self.path).path).strip("/")
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.server.asked.append((self.command, path, token))
        if token in self.server.refused:
            self.refuse(401, "", "Invalid credentials in Authorization header")
            return
        if path in self.server.moved:
            self.send_response(307)
            self.send_header("Location", f"/{self.server.moved[path]}?{urlsplit(self.path).query}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        api = path.startswith("api/")
        if path == "api/models":
            self.found(parse_qs(urlsplit(self.path).query))
            return
        rest = path.removeprefix("api/")
        kind = "datasets" if rest.startswith("datasets/") else "models"
        rest = rest.removeprefix(f"{kind}/")
        repo = next(
            (repo for (of, name), repo in self.server.repos.items() if of == kind and f"{rest}/".startswith(f"{name}/")), None
        )
        if repo is None or (repo.private and token != repo.token):
            self.refuse(404 if token else 401, "RepoNotFound", "Invalid username or password.")
            return
        if repo.fails:
            self.refuse(repo.fails, **repo.headers)
            return
        rest = rest.removeprefix(repo.name).strip("/")
        if rest.startswith("resolve/"):
            self.resolve(repo, rest.split("/", 2)[2], token)
        elif api and rest.startswith("tree/"):
            self.tree(repo, rest.split("/", 2)[2] if rest.count("/") > 1 else "")
        elif api and rest.startswith("paths-info/"):
            self.paths(repo, body)
        elif api and rest in ("", f"revision/{COMMIT}", "revision/main"):
            self.about(repo)
        elif api and rest.startswith("revision/"):
            self.refuse(404, "RevisionNotFound")
        else:
            self.refuse(404, "EntryNotFound")

    def about(self, repo: Repo) -> None:
        siblings = [sibling(name, data) for name, data in repo.files.items()]
        self.json({**known(repo), "sha": COMMIT, "disabled": False, "siblings": siblings})

    def found(self, query: dict[str, list[str]]) -> None:
        """Models whose names hold a text, most downloads first."""
        word = query.get("search", [""])[0].lower()
        models = [known(repo) for (kind, name), repo in self.server.repos.items() if kind == "models" and word in name.lower()]
        models = [item for item in models if item["pipeline_tag"] in query.get("pipeline_tag", [])]
        models.sort(key=lambda item: item["downloads"], reverse=query.get("sort") == ["downloads"])
        other = self.server.elsewhere
        self.json(
            models[: int(query.get("limit", ["20"])[0])],
            {"Link": f'<{other.url}/api/models?more=1>; rel="next"'} if other else {},
        )

    def tree(self, repo: Repo, folder: str) -> None:
        inside = {name: data for name, data in repo.files.items() if not folder or name.startswith(f"{folder}/")}
        if folder and not inside:
            self.refuse(404, "EntryNotFound")
            return
        deep = parse_qs(urlsplit(self.path).query).get("recursive", ["false"])[0].lower() in ("true", "1")
        start = len(folder) + 1 if folder else 0
        folders = sorted({name[: name.index("/", start)] for name in inside if "/" in name[start:]})
        files = [file_entry(name, data) for name, data in inside.items() if deep or "/" not in name[start:]]
        self.json([*({"type": "directory", "oid": git_id(b""), "size": 0, "path": path} for path in folders), *files])

    def paths(self, repo: Repo, body: bytes) -> None:
        sent_json = "json" in self.headers.get("Content-Type", "")
        wanted = json.loads(body)["paths"] if sent_json else parse_qs(body.decode())["paths"]
        found = [file_entry(name, repo.files[name]) for name in wanted if name in repo.files]
        folders = [name for name in wanted if any(path.startswith(f"{name}/") for path in repo.files)]
        self.json([*found, *({"type": "directory", "oid": git_id(b""), "size": 0, "path": name} for name in folders)])

    def resolve(self, repo: Repo, name: str, token: str) -> None:
        """A file, whole or a range of it."""
        if repo.gated and (not token or token != repo.token):
            self.refuse(403 if token else 401, "GatedRepo", "Access to this repository is restricted.")
            return
        files = {"README.md": card_of(repo.card), **repo.files} if repo.card else repo.files
        if name not in files:
            self.refuse(404, "EntryNotFound")
            return
        data = files[name]
        if self.server.elsewhere and len(data) >= LARGE:
            self.server.elsewhere.repos["models", repo.name] = replace(repo, gated=False)  # whoever was let in was sent there
            self.send_response(302)
            self.send_header("Location", f"{self.server.elsewhere.url}{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        ranged = "Range" in self.headers and not repo.whole
        first, last = span(self.headers.get("Range", "") if ranged else "", len(data))
        self.send_response(206 if ranged else 200)
        self.send_header("Content-Length", str(last - first))
        if ranged:
            self.send_header("Content-Range", f"bytes {first}-{last - 1}/{len(data)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{git_id(data)}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            if repo.wrong and len(data) >= LARGE:
                repo.wrong -= 1
                data = bytes([data[0] ^ 1]) + data[1:]
            self.write(data[first:last], repo, name, first)

    def write(self, data: bytes, repo: Repo, name: str, first: int) -> None:
        """The bytes of a file from `first` on, piece by piece."""
        sent = 0
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            if repo.cuts and first + sent <= repo.cuts[0] < first + sent + len(piece) and len(data) >= LARGE:
                end = repo.cuts.pop(0) - first - sent
                self.wfile.write(piece[:end])
                self.server.served[name] += end
                self.close_connection = True
                return
            if repo.cut is not None and sent + len(piece) > repo.cut:
                self.wfile.write(piece[: max(0, repo.cut - sent)])
                self.close_connection = True
                return
            self.wfile.write(piece)
            sent += len(piece)
            self.server.served[name] += len(piece)
            time.sleep(repo.delay)

    def json(self, value: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def refuse(self, status: int, code: str = "", message: str = "", **headers: str) -> None:
        """An error as the Hub words it: a status and two headers."""
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        if code:
            self.send_header("X-Error-Code", code)
        if message:
            self.send_header("X-Error-Message", message)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def known(repo: Repo) -> dict[str, Any]:
    """What the Hub tells of a repository in a list and on its own."""
    return {
        "id": repo.name,
        "private": repo.private,
        "gated": "auto" if repo.gated else False,
        "tags": [f"license:{repo.card['license']}"] if isinstance(repo.card.get("license"), str) else [],
        "cardData": repo.card,
        "lastModified": "2026-01-01T00:00:00.000Z",
        **({"downloads": 10, "likes": 1, "pipeline_tag": "text-generation"} if repo.kind == "models" else {}),
        **repo.fields,
    }


def sibling(name: str, data: bytes) -> dict[str, Any]:
    """A file as it is told with its repository."""
    large = (
        {"lfs": {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}} if len(data) >= LARGE else {}
    )
    return {"rfilename": name, "size": len(data), "blobId": git_id(data), **large}


def card_of(card: dict[str, Any]) -> bytes:
    """README.md with the card in front; JSON is YAML, too."""
    return f"---\n{json.dumps(card)}\n---\n".encode()


def file_entry(name: str, data: bytes) -> dict[str, Any]:
    """A file in a listing."""
    return {"type": "file", "oid": git_id(data), "size": len(data), "path": name}


def git_id(data: bytes) -> str:
    """A file's id as git makes it."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def span(asked: str, size: int) -> tuple[int, int]:
    """First byte and the one behind the last, of a Range header."""
    if not asked.startswith("bytes="):
        return 0, size
    first, _, last = asked.removeprefix("bytes=").partition("-")
    if not first:
        return max(0, size - int(last)), size
    return min(int(first), size), min(int(last) + 1 if last else size, size)
