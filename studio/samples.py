"""The sample data sets that come with the app, and how one becomes a data set of the workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.data.convert import convert
from studio.data.detect import detect
from studio.data.read import read
from studio.data.split import assign
from studio.datasets import DatasetStore
from studio.errors import NotFound
from studio.records import Dataset, Provenance
from studio.workspace import Workspace, read_json, sha256_file

FOLDER = Path(__file__).resolve().parents[1] / "assets" / "samples"
ORDER = ("bakery", "captions", "sorter")
SEED = 42


def samples() -> list[dict[str, Any]]:
    """What about.json says of every sample, in the order of the page."""
    return [sample(name) for name in ORDER]


def sample(name: str) -> dict[str, Any]:
    """What about.json says of one sample."""
    if name not in ORDER:
        raise NotFound("There is no such sample.", "", "Pick one of the cards.")
    return read_json(FOLDER / name / "about.json")


def save_sample(workspace: Workspace, name: str) -> Dataset:
    """Make a data set of a sample. The same unchanged sample made before is used again."""
    about, store = sample(name), DatasetStore(workspace)
    path = FOLDER / name / about["file"]
    digest = sha256_file(path)
    for item in store.ids():
        record = store.get(item)
        if record.sample == name and record.provenance.get("original_sha256") == digest:
            return record
    reading = read(path)
    mapping = detect(reading)
    converted = convert(reading, mapping)
    return store.create(
        about["title"],
        converted.examples,
        assign(converted.examples, seed=SEED),
        original=path,
        left_out=(*reading.left_out, *converted.left_out),
        format=mapping.format,
        seed=SEED,
        reading=reading.summary(),
        mapping=mapping.to_json(),
        sample=name,
        goal=about["goal"],
        provenance=Provenance(
            origin=about["origin"],
            licence=about["licence"],
            language=about["language"],
            machine_written=about["machine_written"],
            original_file=path.name,
            original_sha256=digest,
            files=({"name": path.name, "sha256": digest},),
        ),
    )
