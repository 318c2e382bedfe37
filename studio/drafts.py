"""Data on its way to becoming a data set: a file, how it is read, which column is what, and how the rows are shared out.

    cache/draft-<id>/  draft.json  source/<file>, or source/<number>/<file> for several files

The page holds the id only. Every change is written at once; the rows are read again from the file when they are needed.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from studio import sources
from studio.data.convert import Converted, convert
from studio.data.detect import FORMATS, Mapping, detect
from studio.data.read import Reading, read, read_many, read_pasted
from studio.data.split import assign
from studio.datasets import DatasetStore
from studio.errors import NotFound, StudioError
from studio.records import Dataset, LeftOut, Provenance
from studio.workspace import Workspace, display_name, read_json, sha256_file, slug, write_json, write_text

PREFIX = "draft-"
KEPT_READINGS = 4  # drafts whose rows stay in memory
KEPT_DAYS = 30  # an untouched draft is removed after that
MOST_KEPT_ASIDE = 0.5
MAX_SEED = 2**31 - 1
PASTED = "Pasted table"
GOALS = {"labels": "sorting", "text": "voice"}


@dataclass(frozen=True)
class Options:
    """How the file is read; empty or None means: find out."""

    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    header: bool | None = None


@dataclass(frozen=True)
class Draft:
    """What draft.json holds. `columns` maps a role to a column; with `format` empty both are detected.

    `file` is the name on disk, empty where the draft has several files.
    """

    id: str
    name: str
    file: str
    pasted: bool = False
    options: Options = field(default_factory=Options)
    format: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    seed: int = 42
    validation: float = 0.1
    parent: str = ""


@dataclass(frozen=True)
class Opened:
    """A draft with its rows. `splits` has one of train, validation, test for each example."""

    draft: Draft
    reading: Reading
    mapping: Mapping
    converted: Converted
    splits: tuple[str, ...]

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Every row that is not used, in the order of the file."""
        return tuple(sorted((*self.reading.left_out, *self.converted.left_out), key=lambda item: item.row))

    @property
    def counts(self) -> Counter[str]:
        """Rows by split."""
        return Counter(self.splits)


class Drafts:
    """The drafts of one workspace. Safe to use from several threads."""

    def __init__(self, workspace: Workspace, datasets: DatasetStore) -> None:
        self.workspace, self.datasets = workspace, datasets
        self._readings: OrderedDict[tuple[str, Options], Reading] = OrderedDict()
        self._gate = threading.Lock()
        self._sweep()

    # ---- begin

    def take_upload(self, upload: Path | str | Sequence[Path | str]) -> Opened:
        """A draft of a file, or of several together, that the page uploaded; the uploaded copies are deleted in any case.

        Raises StudioError when a file does not come from the upload folder, or when none can be read.
        """
        uploads = [upload] if isinstance(upload, (str, Path)) else upload
        paths = list(dict.fromkeys(Path(item).resolve() for item in uploads))
        if not paths or any(self.workspace.root / "uploads" not in path.parents or not path.is_file() for path in paths):
            raise NotFound("This file cannot be opened.", "It was not added through this page.", "Add it again.")
        try:
            more = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
            return self._begin(paths, display_name(paths[0].name) + more)
        finally:
            for path in paths:
                path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    path.parent.rmdir()

    def take_text(self, text: str, **about: Any) -> Opened:
        """A draft of a pasted table; `about` sets other fields of the draft. Raises StudioError when it cannot be read."""
        read_pasted(text)  # says what is wrong before anything is kept
        folder = self.workspace.new_folder("cache", f"{PREFIX}pasted")
        try:
            (folder / "source").mkdir()
            write_text(folder / "source" / "pasted.txt", text)
            return self._keep(Draft(folder.name, PASTED, "pasted.txt", pasted=True, **about))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def take_dataset(self, dataset_id: str) -> Opened:
        """A draft that reads the file of a data set anew, beginning as that data set was made."""
        record = self.datasets.get(dataset_id)
        original = next(iter(sorted((self.datasets.folder(dataset_id) / "original").glob("source*"))), None)
        if original is None:
            raise NotFound("This data cannot be read again.", "Its file was not kept.", "Add the file again.")
        how = record.reading
        options = Options(
            encoding=str(how.get("encoding") or ""),
            delimiter=str(how.get("delimiter") or ""),
            sheet=str(how.get("sheet") or ""),
            header=how.get("header") if isinstance(how.get("header"), bool) else None,
        )
        name = str(record.provenance.get("original_file") or record.name)
        about: dict[str, Any] = {"options": options, "seed": record.seed, "parent": record.id}
        if record.mapping.get("format") in FORMATS:
            about |= {"format": record.mapping["format"], "columns": dict(record.mapping.get("columns") or {})}
        if name == PASTED:
            return self.take_text(original.read_text(encoding="utf-8"), **about)
        return self._begin([original], name, **about)

    def _begin(self, paths: Sequence[Path], name: str, **about: Any) -> Opened:
        self.workspace.require_space(2 * sum(path.stat().st_size for path in paths) + 2**20, "for this file")
        folder = self.workspace.new_folder("cache", f"{PREFIX}{slug(Path(name).stem)[:24]}")
        try:
            return self._keep(Draft(folder.name, name, sources.keep(paths, folder / "source", name), **about))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    # ---- look

    def newest(self) -> str | None:
        """The draft that was touched last, if it is newer than every data set."""
        found = [
            (path.stat().st_mtime, path.parent.name) for path in (self.workspace.root / "cache").glob(f"{PREFIX}*/draft.json")
        ]
        if not found:
            return None
        touched, draft_id = max(found)
        saved = next(iter(self.datasets.ids()), None)
        return draft_id if saved is None or touched > self.datasets.get(saved).created_at else None

    def get(self, draft_id: str) -> Draft:
        """What is known of a draft. Raises NotFound."""
        values = read_json(self._folder(draft_id) / "draft.json")
        return Draft(**{**values, "options": Options(**values["options"])})

    def open(self, draft_id: str) -> Opened:
        """A draft with its rows."""
        return self._opened(self.get(draft_id))

    # ---- change; each returns the draft with its rows as they now are

    def read_again(self, draft_id: str, **options: Any) -> Opened:
        """Read the file another way (encoding, delimiter, sheet, header). What the columns mean is detected anew."""
        draft = self.get(draft_id)
        changed = replace(draft, options=replace(draft.options, **options), format="", columns={})
        return self._keep(changed)

    def choose_format(self, draft_id: str, chosen: str) -> Opened:
        """Take the rows for another kind of examples; its columns are filled in as well as they can be."""
        if chosen not in FORMATS:
            raise StudioError("This kind of examples is not known.", "", "Pick one from the list.")
        opened = self.open(draft_id)
        columns = columns_for(chosen, opened.reading, opened.mapping)
        return self._keep(replace(opened.draft, format=chosen, columns=columns))

    def choose_column(self, draft_id: str, role: str, column: str) -> Opened:
        """Say which column has a role. An empty column leaves an optional role unfilled."""
        opened = self.open(draft_id)
        form = FORMATS[opened.mapping.format]
        if role not in {item.key for item in form.roles} or column not in ("", *opened.reading.columns):
            raise StudioError("This column cannot be chosen.", "It is not in the file.", "Pick one from the list.")
        columns = {**opened.mapping.columns, role: column}
        for other, taken in opened.mapping.columns.items():
            if taken == column and other != role:  # the two change places
                columns[other] = opened.mapping.columns.get(role, "")
        columns = {key: value for key, value in columns.items() if value}
        return self._keep(replace(opened.draft, format=opened.mapping.format, columns=columns))

    def share_out(self, draft_id: str, *, validation: float, seed: int) -> Opened:
        """How many rows are kept aside, and by which draw."""
        faults = []
        number = isinstance(validation, (int, float)) and not isinstance(validation, bool)
        if not number or not 0 <= validation <= MOST_KEPT_ASIDE:
            faults.append(f"The share kept aside must lie between 0 and {MOST_KEPT_ASIDE:.0%}.")
        if isinstance(seed, float) and seed.is_integer():
            seed = int(seed)
        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= MAX_SEED:
            faults.append(f"The seed must be a whole number from 0 to {MAX_SEED:,}.")
        if faults:
            raise StudioError("The rows were not shared out anew.", " ".join(faults), "Change it and try again.")
        return self._keep(replace(self.get(draft_id), validation=float(validation), seed=seed))

    # ---- end

    def save(self, draft_id: str, name: str = "") -> Dataset:
        """Make the draft a data set and remove the draft. Raises StudioError when there is nothing to learn from."""
        opened = self.open(draft_id)
        draft, source = opened.draft, sources.as_one(self._source(opened.draft))
        record = self.datasets.create(
            display_name(name or nice_name(draft), "My examples"),
            opened.converted.examples,
            opened.splits,
            original=source,
            left_out=opened.left_out,
            format=opened.mapping.format,
            seed=draft.seed,
            reading=opened.reading.summary(),
            mapping={"format": opened.mapping.format, "columns": dict(opened.mapping.columns)},
            goal=GOALS.get(opened.mapping.format, "questions"),
            provenance=Provenance(original_file=draft.name, original_sha256=sha256_file(source)),
            parent=draft.parent,
        )
        self.delete(draft_id)
        return record

    def delete(self, draft_id: str) -> None:
        """Remove a draft; nothing happens when it is gone already."""
        shutil.rmtree(self._folder(draft_id), ignore_errors=True)
        with self._gate:
            for key in [key for key in self._readings if key[0] == draft_id]:
                del self._readings[key]

    # ---- inside

    def _folder(self, draft_id: str) -> Path:
        if not isinstance(draft_id, str) or not draft_id.startswith(PREFIX):
            raise NotFound("This data is not open any more.", "", "Add the file again.")
        return self.workspace.folder("cache", draft_id)

    def _source(self, draft: Draft) -> Path:
        return self._folder(draft.id) / "source" / draft.file

    def _keep(self, draft: Draft) -> Opened:
        """Write the draft if it can be used as it is; a change that cannot be used leaves it as it was."""
        opened = self._opened(draft)
        write_json(self._folder(draft.id) / "draft.json", asdict(draft))
        return opened

    def _opened(self, draft: Draft) -> Opened:
        reading = self._reading(draft)
        mapping = detect(reading)
        if draft.format and (draft.format, draft.columns) != (mapping.format, dict(mapping.columns)):
            mapping = Mapping(draft.format, dict(draft.columns), "chosen", "")
        converted = convert(reading, mapping)
        splits = assign(converted.examples, seed=draft.seed, validation=draft.validation)
        return Opened(draft, reading, mapping, converted, tuple(splits))

    def _reading(self, draft: Draft) -> Reading:
        key = (draft.id, draft.options)
        with self._gate:
            if key in self._readings:
                self._readings.move_to_end(key)
                return self._readings[key]
        source = self._source(draft)
        if not source.exists():
            raise NotFound("This data is not open any more.", "Its copy was removed.", "Add the file again.")
        if draft.pasted:
            found = read_pasted(source.read_text(encoding="utf-8"))
        elif draft.file:
            found = read(source, **asdict(draft.options))
        else:
            found = read_many(sources.files(source), **asdict(draft.options))
        with self._gate:
            self._readings[key] = found
            while len(self._readings) > KEPT_READINGS:
                self._readings.popitem(last=False)
        return found

    def _sweep(self) -> None:
        oldest = time.time() - KEPT_DAYS * 86400
        for path in (self.workspace.root / "cache").glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):
                if not (path / "draft.json").is_file() or (path / "draft.json").stat().st_mtime < oldest:
                    shutil.rmtree(path, ignore_errors=True)


def columns_for(chosen: str, reading: Reading, before: Mapping) -> dict[str, str]:
    """Columns for the roles of another format: what detection says for it, what had the same role, else the next free one."""
    found = detect(reading)
    if found.format == chosen:
        return dict(found.columns)
    free = list(reading.columns)
    columns: dict[str, str] = {}
    for role in FORMATS[chosen].roles:
        if (column := before.columns.get(role.key)) in free:
            columns[role.key] = column
            free.remove(column)
    for role in FORMATS[chosen].roles:
        if role.required and role.key not in columns and free:
            columns[role.key] = free.pop(0)
    return columns


def nice_name(draft: Draft) -> str:
    """The file's name without its ending, made readable: "Customer questions" of customer_questions.xlsx."""
    stem = Path(draft.name).stem.replace("_", " ").replace("-", " ").strip()
    return stem[:1].upper() + stem[1:]
