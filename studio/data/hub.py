"""A data set of the Hugging Face Hub, by its name: first looked at, then brought here as one Parquet file.

The Hub's own libraries do the work, in a process of their own (`hub_worker.py`): they take seconds to import, what they read
was written by strangers, and a process can be ended at any moment. `HF_ENDPOINT` is honoured. The token goes to that process
through its input and is written nowhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.data.readers.reading import MAX_FILE, MAX_ROWS
from studio.errors import NotFound, StudioError
from studio.hub.client import MAX_WORD, answers, checked_token, is_name, reason
from studio.hub.places import check_endpoint
from studio.workspace import Workspace, gib, slug

WHAT = "The data set was not fetched."


@dataclass(frozen=True)
class About:
    """What the Hub says of a data set, before anything of it is fetched.

    `licence` is empty when nobody says. `splits` maps a split to the bytes of its files on the Hub, of `config`. `revision` is
    the commit that was looked at, and that is fetched. A gated one that this person may not read has no splits.
    """

    name: str
    revision: str
    licence: str
    size: int
    gated: bool
    configs: tuple[str, ...] = ()
    config: str = ""
    splits: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """Where a fetch stands: rows and bytes that are here."""

    rows: int
    size: int

    @property
    def sentence(self) -> str:
        """How it stands, for the person."""
        return f"Fetching rows: {self.rows:,} so far, {gib(self.size)}."


@dataclass(frozen=True)
class Fetched:
    """What was fetched. `cut` says whether there was more than the limits allow."""

    path: Path
    rows: int
    cut: bool

    @property
    def note(self) -> str:
        """What to tell about it; empty when all of it is here."""
        return f"The data set is larger than can be used here. Its first {self.rows:,} rows were taken." if self.cut else ""


class Hub:
    """Looks at and fetches data sets.

    Args:
        token: The person's token for gated and private ones; kept in memory. Empty takes `HF_TOKEN` of the environment.
    """

    def __init__(self, workspace: Workspace, token: str = "") -> None:
        self.workspace = workspace
        self._token = checked_token(token or os.environ.get("HF_TOKEN", ""), WHAT)

    def look(self, name: str, config: str = "", stop: Callable[[], bool] = lambda: False) -> About:
        """What there is to know of a data set; nothing of its rows is fetched.

        Raises:
            StudioError: Not a name, missing, offline, asked too often, needs code, or nothing this app can read.
            Stopped: `stop` said so.
        """
        request = {"job": "look", "name": checked_name(name), "config": word(config, "configuration")}
        for line in self._lines(request, stop):
            if "about" in line:
                values = line["about"]
                return About(**{**values, "configs": tuple(values["configs"])})
        raise failure("ended", name)

    def fetch(
        self,
        about: About,
        split: str,
        into: Path,
        *,
        progress: Callable[[Progress], None] = lambda _: None,
        stop: Callable[[], bool] = lambda: False,
        most_rows: int = MAX_ROWS,
        most_bytes: int = MAX_FILE,
    ) -> Fetched:
        """Bring one split here as a Parquet file in the folder `into`, up to a number of rows and bytes.

        The file appears when it is whole. What is beyond the limits stays where it is, and `cut` says so.

        Raises:
            NotFound: There is no such split.
            NoSpace: The disk has no room for it.
            StudioError: Gated, missing, offline, asked too often, too big or damaged; a plain sentence says which.
            Stopped: `stop` said so; nothing is left behind.
        """
        if about.gated and not about.splits:
            raise failure("gated", about.name)
        if split not in about.splits:
            raise NotFound(WHAT, f"“{about.name}” has no split of that name.", "Choose one from the list.")
        self.workspace.require_space(2 * min(about.splits[split] or most_bytes, most_bytes) + 2**20, "for this data set")
        target = into / f"{slug(about.name)}-{slug(split)}.parquet"
        staging = into / f".staging-{target.name}"
        request = {
            "job": "fetch",
            "name": about.name,
            "config": about.config,
            "split": split,
            "revision": about.revision,
            "into": str(staging.resolve()),
            "most_rows": most_rows,
            "most_bytes": most_bytes,
        }
        try:
            for line in self._lines(request, stop):
                if "rows" in line:
                    progress(Progress(line["rows"], line["size"]))
                elif "done" in line:
                    os.replace(staging, target)
                    return Fetched(target, line["done"], line["cut"])
        finally:
            staging.unlink(missing_ok=True)
        raise failure("ended", about.name)

    def _lines(self, request: dict[str, Any], stop: Callable[[], bool]) -> Iterator[dict[str, Any]]:
        """The worker's lines for a request. Raises what its errors mean."""
        check_endpoint(WHAT)
        return answers(
            "studio.data.hub_worker",
            request,
            token=self._token,
            home=self.workspace.root / "cache",
            stop=stop,
            failure=lambda line: failure(line["error"], request["name"]),
        )


def checked_name(name: str) -> str:
    """A name the Hub could give: "owner/name" or "name". The address of its page is taken, too. Raises StudioError."""
    text = name.strip() if isinstance(name, str) else ""
    text = text.partition("?")[0].partition("#")[0].rstrip("/")
    text = text.removeprefix("https://").removeprefix("huggingface.co/").removeprefix("datasets/")
    if not is_name(text):
        raise StudioError(WHAT, "That is not the name of a data set.", "Write it as on its page: owner/name.")
    return text


def word(text: str, what: str) -> str:
    """The name of a configuration, as the Hub has them. Raises StudioError."""
    if not isinstance(text, str) or len(text) > MAX_WORD or not (text.isprintable() or not text):
        raise StudioError(WHAT, f"That is not the name of a {what}.", "Choose one from the list.")
    return text


def failure(kind: str, name: str) -> StudioError:
    """The sentences for what the worker met."""
    small = "Choose a smaller data set, or another part of it."
    other = "Choose another data set, or add its file by hand."
    reasons = {
        "gated": (
            f"“{name}” is given only to people who were let in.",
            "Ask for access on its page, then write your token here.",
        ),
        "script": (f"“{name}” brings code to be run, and code of strangers is never run here.", other),
        "outside": (f"“{name}” names files that are not its own, and those are not fetched.", other),
        "kind": (f"“{name}” holds no texts in a form this app reads.", other),
        "config": (f"“{name}” has no configuration of that name.", "Choose one from the list."),
        "empty": (f"“{name}” holds no rows.", other),
        "big": (f"“{name}” is too big for the memory of this computer.", small),
        "damaged": (f"A file of “{name}” cannot be read, or its rows do not fit together.", other),
        "space": ("The disk became full.", "Free some room and try again."),
    }
    return StudioError(WHAT, *(reasons.get(kind) or reason(kind, name, "data set")))
