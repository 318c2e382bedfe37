"""Searching the Hub for models, and looking at one before anything of it is fetched."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from studio.errors import StudioError
from studio.hub.client import Line, Stop, answers, checked_token, is_name
from studio.hub.places import check_endpoint
from studio.models.folder import MAX_WEIGHTS, MODEL_TYPES, ModelShape, check_description
from studio.models.hub.files import INDEX, WHOLE, RemoteFile
from studio.models.hub.words import LOOK, SEARCH, failure
from studio.models.published import hub_id
from studio.workspace import display_name, gib, write_json

MAX_QUERY = 200  # characters
MAX_FOUND = 100
MAX_ONE = 50_000_000_000  # bytes of one file over plain HTTP (huggingface_hub 2.4, MAX_HTTP_DOWNLOAD_SIZE)
COMMIT, SHA256 = re.compile(r"[0-9a-f]{40}"), re.compile(r"[0-9a-f]{64}")
FILE_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True)
class Found:
    """A model that a search found. `trouble` says why it cannot be used here; empty when it can, as far as is known.

    `parameters` counts weights, None where the Hub does not say. `updated` is a date, YYYY-MM-DD. `licence` is empty when
    nobody says.
    """

    repo: str
    downloads: int
    likes: int
    gated: bool
    licence: str
    parameters: int | None
    updated: str
    model_type: str
    trouble: str = ""


@dataclass(frozen=True)
class About:
    """What the Hub says of a model. `trouble` says why it cannot be fetched now; empty when it can.

    `revision` is the commit that was looked at, and that is fetched. `files` are only those that will be fetched. `closed` is
    set when config.json is given only to people who agreed to the terms ("gated": no token was sent, "consent": one was); then
    `config` is empty. `shape` and `context` follow from config.json; None and 0 without a usable one.
    """

    repo: str
    revision: str
    licence: str
    gated: bool
    downloads: int
    updated: str
    parameters: int
    files: tuple[RemoteFile, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    model_type: str = ""
    shape: ModelShape | None = None
    context: int = 0
    closed: str = ""
    trouble: str = ""

    @property
    def id(self) -> str:
        """The id it has in a workspace."""
        return hub_id(self.repo)

    @property
    def download_bytes(self) -> int:
        """Bytes of the files that will be fetched."""
        return sum(item.size for item in self.files)


def search(query: str, *, limit: int = 20, token: str = "", stop: Stop = lambda: False) -> list[Found]:
    """Text models with weights as safetensors whose names hold `query`, most downloads first; an empty one finds the most used.

    Raises:
        StudioError: Offline, asked too often, or the token was refused; a plain sentence says which.
        Stopped: `stop` said so.
    """
    text = display_name(query, "")[:MAX_QUERY]
    request = {"job": "search", "query": _in_address(text) or text, "limit": max(1, min(limit, MAX_FOUND))}
    for line in asked(request, SEARCH, "", token, stop):
        if isinstance(line.get("found"), list):
            return [_found(item) for item in line["found"] if is_name(str(item["repo"])) and not item["private"]]
    raise failure(SEARCH, {}, "", bool(token))


def look(repo: str, *, revision: str = "", token: str = "", stop: Stop = lambda: False) -> About:
    """What there is to know of a model; nothing of its weights is fetched.

    Args:
        repo: "owner/name", or the address of its page.
        revision: A commit; empty takes the newest.
    Raises:
        StudioError: Not a name, missing, offline, asked too often, or the token was refused.
        Stopped: `stop` said so.
    """
    repo = checked_repo(repo)
    if revision and not COMMIT.fullmatch(revision):
        raise StudioError(LOOK, "That is not a version of a model.", "Leave it empty to get the newest one.")
    for line in asked({"job": "look", "repo": repo, "revision": revision}, LOOK, repo, token, stop):
        if isinstance(line.get("about"), dict):
            return _about(line["about"], bool(token))
    raise failure(LOOK, {}, repo, bool(token))


def checked_repo(name: str) -> str:
    """ "owner/name" from what was typed, or from the address of a model's page. Raises StudioError."""
    text = name.strip() if isinstance(name, str) else ""
    text = _in_address(text) or text
    if not is_name(text):
        raise StudioError(LOOK, "That is not the name of a model.", "Write it as on its page: owner/name.")
    return text


def _in_address(text: str) -> str:
    """The name in the address of a model's page on the Hub; empty when it is no such address."""
    plain = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(plain)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or parts.hostname not in ("huggingface.co", "www.huggingface.co", "hf.co"):
        return ""
    return "/".join(parts.path.strip("/").split("/")[:2])


def asked(request: dict[str, Any], what: str, repo: str, token: str, stop: Stop) -> Iterator[Line]:
    """The worker's lines about a request. Raises StudioError with `what` was not done, and Stopped."""
    check_endpoint(what)
    token = checked_token(token, what)
    return answers(
        "studio.models.hub.worker",
        request,
        token=token,
        home=None,
        stop=stop,
        failure=lambda line: failure(what, line, repo, bool(token)),
    )


def _found(item: dict[str, Any]) -> Found:
    config = item["config"] if isinstance(item["config"], dict) else {}
    kind = str(config.get("model_type") or "")[:40]
    trouble = ""
    if config.get("quantization_config"):
        trouble = "Its weights are already stored in fewer digits; pick the original."
    elif config.get("auto_map"):
        trouble = "It brings code to be run, and code of strangers is never run here."
    elif kind not in MODEL_TYPES:
        trouble = f"Its kind ({display_name(kind, 'unknown')}) is not one this app knows."
    return Found(**_shared(item), likes=item["likes"], parameters=item["parameters"], model_type=kind, trouble=trouble)


def _shared(item: dict[str, Any]) -> dict[str, Any]:
    """The fields that a search result and a look have in common."""
    return {
        "repo": str(item["repo"]),
        "downloads": item["downloads"],
        "gated": bool(item["gated"]),
        "licence": display_name(item["licence"] or item["tagged"], ""),
        "updated": str(item["updated"]),
    }


def _about(item: dict[str, Any], token: bool) -> About:
    """The worker's answer, checked: names and checksums are what they should be, and config.json is one that can be loaded."""
    repo, files = str(item["repo"]), tuple(RemoteFile(*values) for values in item["files"])
    plain = {"revision": str(item["revision"]), "parameters": item["parameters"] or 0, **_shared(item)}
    if not is_name(repo) or not COMMIT.fullmatch(plain["revision"]) or not all(map(_checkable, files)):
        raise failure(LOOK, {"error": "damaged", "file": "The list of its files"}, repo, token)
    about = About(**plain, files=files, closed=str(item["closed"]))
    if about.closed:
        closed = failure(LOOK, {"error": about.closed}, repo, token)
        return replace(about, trouble=f"{closed.why} {closed.fix}")
    if trouble := _fault_of(about, item["names"]):
        return replace(about, trouble=trouble)
    config = item["config"] if isinstance(item["config"], dict) else {}
    try:
        with tempfile.TemporaryDirectory() as folder:
            write_json(Path(folder) / "config.json", config, durable=False)
            model_type, shape, context = check_description(Path(folder))
    except StudioError as error:
        return replace(about, config=config, trouble=f"{error.why} {error.fix}")
    except ValueError:
        return replace(about, trouble="Its config.json holds numbers that are none. Choose another model.")
    parameters = about.parameters or shape.parameters
    return replace(about, config=config, model_type=model_type, shape=shape, context=context, parameters=parameters)


def _checkable(item: RemoteFile) -> bool:
    """Whether the Hub said all that a file is checked with."""
    keyed = SHA256.fullmatch(item.sha256) if item.sha256 else COMMIT.fullmatch(item.git_id)
    return bool(FILE_NAME.fullmatch(item.name) and isinstance(item.size, int) and item.size >= 0 and keyed)


def _fault_of(about: About, names: list[str]) -> str:
    """What is missing or too large; empty when nothing is."""
    here = {item.name for item in about.files}
    if "config.json" not in here:
        return "It has no config.json, so it is not a model that transformers saved. Choose another model."
    if WHOLE not in here and not (INDEX in here and any(item.weights for item in about.files)):
        risky = any(name.endswith((".bin", ".pt", ".pth", ".ckpt")) for name in names)
        why = "It has no weights in the safetensors format."
        more = " Files such as .bin can run code when opened, so they are not fetched." if risky else ""
        return f"{why}{more} Choose another model."
    if "tokenizer.json" not in here:
        return "It has no tokenizer.json, so text cannot be turned into tokens. Choose another model."
    if about.download_bytes > MAX_WEIGHTS or any(item.size > MAX_ONE for item in about.files):
        return f"It is larger than this app loads ({gib(about.download_bytes)}). Choose a smaller model."
    return ""
