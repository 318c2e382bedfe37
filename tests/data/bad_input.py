"""One bad file all the way a person's file goes: taken, looked through, saved. For a process of its own, which is measured."""

from __future__ import annotations

import resource
import sys
import time
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from studio.checkup import Checkups
from studio.datasets import DatasetStore
from studio.drafts import Drafts
from studio.errors import StudioError
from studio.models.hardware import memory_peak
from studio.workspace import Workspace

PATIENCE = 8  # seconds for a look, which a person need not wait for; then it is ended


@cache
def tokenizer() -> Any:
    from tests.conftest import tiny_tokenizer

    return tiny_tokenizer()


def lengths(_model: str, rows: Any) -> list[int]:
    """Tokens of each row."""
    return [sum(len(tokenizer()(turn["content"])["input_ids"]) for turn in row.messages) for row in rows]


def spent() -> float:
    """Seconds of the processor, children included: what else runs on the computer does not count."""
    return time.process_time() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def bring(path: Path, name: str, root: Path, answer: Connection) -> None:
    """Take the file, look through its rows, save them; send what came of it as a dict.

    `refused` has the three sentences of the first refusal and what was under way; `taken`, `left_out` and `found` are the rows,
    the reasons of those left out, and the findings' titles. `seconds` of the processor and `bytes` are what all of it took,
    readers included; the look through the rows goes on behind the page, so its seconds do not count.
    """
    started, looking = spent(), 0.0
    told: dict[str, Any] = {"refused": None, "during": "", "taken": [], "left_out": [], "found": []}
    workspace = Workspace(root)
    datasets = DatasetStore(workspace)
    drafts = Drafts(workspace, datasets)
    try:
        told["during"] = "taking"
        opened = drafts.take_fetched(path, name)
        told["name"] = opened.draft.name
        told["taken"] = [[turn["content"] for turn in row.messages] or [row.text] for row in opened.rows[:100]]
        told["left_out"] = [f"row {item.row}: {item.reason}" for item in opened.left_out[:100]]
        told["notes"] = list(opened.notes)
        told["during"], began = "looking", spent()
        look = Checkups(drafts, datasets, lengths, lambda _: True).begin(opened.draft.id, None, "starter")
        if not look.wait(PATIENCE):
            look.cancel()
            look.wait(PATIENCE)  # it ends at its next row, and would share the time of saving
        if look.error:
            raise look.error
        looking = spent() - began
        told["found"] = [finding.title for finding in look.findings or ()]
        told["during"] = "saving"
        saved = drafts.save(opened.draft.id)
        told["saved"] = saved.counts
    except StudioError as error:
        told["refused"] = [error.what, error.why, error.fix]
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    answer.send({**told, "seconds": spent() - started - looking, "bytes": memory_peak() + children})
