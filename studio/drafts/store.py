"""The drafts of a workspace: begin, look, change, save.

The page holds the id only. Every change is written at once; the rows are read again from the file when they are needed.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as Map
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from studio import provenance
from studio.data.detect import FORMATS
from studio.data.edits import Edit, Kept
from studio.data.formats import choices_of
from studio.data.read import read_pasted
from studio.data.spill import LARGE, Telling
from studio.datasets import DatasetStore
from studio.drafts import shelf
from studio.drafts.applied import Applied
from studio.drafts.edits import EditFile, added, fitting, lines_of
from studio.drafts.naming import columns_for, columns_with, nice_name, safe_file_name
from studio.drafts.records import PASTED, Draft, Opened, Options, as_made, share_faults
from studio.drafts.rows import ON_DISK, Rows
from studio.drafts.shelf import PREFIX
from studio.drafts.uploads import taken
from studio.errors import NotFound, StudioError
from studio.records import Dataset, Example, Provenance
from studio.workspace import Workspace, display_name, read_json, slug, write_json, write_text

GOALS = {"labels": "sorting", "text": "voice", "dialogue": "voice"}


class Drafts:
    """The drafts of one workspace. Safe to use from several threads."""

    def __init__(self, workspace: Workspace, datasets: DatasetStore) -> None:
        self.workspace, self.datasets = workspace, datasets
        self._rows = Rows(self.folder)
        self._applied: Applied | None = None  # of the draft that was opened last
        self._files: dict[str, EditFile] = {}
        self._editing = threading.RLock()
        shelf.sweep(workspace)

    # ---- begin

    def take_upload(self, upload: Path | str | Sequence[Path | str], telling: Telling | None = None) -> Opened:
        """A draft of one or several files that the page uploaded; their copies are deleted, also when they cannot be read.

        Args:
            telling: Is told how far it is, and can end it.

        Raises:
            StudioError: a file does not come from the upload folder or cannot be read.
            Stopped: it was ended; nothing is left of it.
        """
        with taken(self.workspace, [upload] if isinstance(upload, (str, Path)) else upload) as (path, name):
            return self._begin(path, name, telling)

    def take_fetched(self, path: Path, name: str, telling: Telling | None = None, **about: Any) -> Opened:
        """A draft of a file that this app fetched itself; it is copied. `about` sets other fields of the draft."""
        return self._begin(path, display_name(name), telling, **about)

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
        """A draft that begins as a data set was made: its file, its columns, and all that was changed in its rows."""
        record = self.datasets.get(dataset_id)
        original = next(iter(sorted((self.datasets.folder(dataset_id) / "original").glob("source*"))), None)
        if original is None:
            raise NotFound("This data cannot be read again.", "Its file was not kept.", "Add the file again.")
        name = str(record.provenance.get("original_file") or record.name)
        about = as_made(record)
        if name == PASTED:
            opened = self.take_text(original.read_text(encoding="utf-8"), **about)
        else:
            opened = self._begin(original, name, **about)
        edits = self.datasets.folder(dataset_id) / "edits.jsonl"
        if not edits.is_file():
            return opened
        shutil.copyfile(edits, self.folder(opened.draft.id) / "edits.jsonl")
        return self._opened(opened.draft)

    def _begin(self, path: Path, name: str, telling: Telling | None = None, **about: Any) -> Opened:
        size = path.stat().st_size
        self.workspace.require_space((ON_DISK if size > LARGE else 2) * size + 2**20, "for this file")
        folder = self.workspace.new_folder("cache", f"{PREFIX}{slug(Path(name).stem)[:24]}")
        try:
            file = safe_file_name(name, path.suffix)
            (folder / "source").mkdir()
            shutil.copyfile(path, folder / "source" / file)
            return self._keep(Draft(folder.name, name, file, **about), telling)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    # ---- look

    def newest(self) -> str | None:
        """The draft that was touched last, if it is newer than every data set."""
        return shelf.newest(self.workspace, self.datasets)

    def get(self, draft_id: str) -> Draft:
        """What is known of a draft. Raises NotFound."""
        values = read_json(self.folder(draft_id) / "draft.json")
        return Draft(**{**values, "options": Options(**values["options"])})

    def touched(self, draft_id: str) -> int:
        """When the draft was changed last, in nanoseconds since 1970; quick. 0 when it is gone."""
        try:
            return (self.folder(draft_id) / "draft.json").stat().st_mtime_ns
        except OSError:
            return 0

    def open(self, draft_id: str) -> Opened:
        """A draft with its rows."""
        return self._opened(self.get(draft_id))

    def origin(self, draft_id: str) -> Provenance:
        """Where the rows come from: what was said of it, and where nothing was said yet, what the file itself says."""
        draft = self.get(draft_id)
        reading = self._rows.reading(draft, Telling())
        found = provenance.known(reading.columns, reading.rows, self._source(draft))
        return provenance.over(provenance.of_record(draft.provenance), found)

    # ---- change; each returns the draft with its rows as they now are, and tells `telling` how far it is

    def read_again(self, draft_id: str, telling: Telling | None = None, **options: Any) -> Opened:
        """Read the file another way (encoding, delimiter, sheet, header). What the columns mean is detected anew."""
        draft = self.get(draft_id)
        changed = replace(draft, options=replace(draft.options, **options), format="", columns={}, choices={})
        return self._keep(changed, telling)

    def choose_format(self, draft_id: str, chosen: str, telling: Telling | None = None) -> Opened:
        """Take the rows for another kind of examples; its columns are filled in as well as they can be."""
        if chosen not in FORMATS:
            raise StudioError("This kind of examples is not known.", "", "Pick one from the list.")
        opened = self.open(draft_id)
        columns = columns_for(chosen, opened.reading, opened.mapping)
        return self._keep(replace(opened.draft, format=chosen, columns=columns), telling)

    def choose_column(self, draft_id: str, role: str, column: str, telling: Telling | None = None) -> Opened:
        """Say which column has a role. An empty column leaves an optional role unfilled."""
        opened = self.open(draft_id)
        form = FORMATS[opened.mapping.format]
        if role not in {item.key for item in form.roles} or column not in ("", *opened.reading.columns):
            raise StudioError("This column cannot be chosen.", "It is not in the file.", "Pick one from the list.")
        columns = columns_with(role, column, opened.mapping)
        return self._keep(replace(opened.draft, format=opened.mapping.format, columns=columns), telling)

    def choose(self, draft_id: str, telling: Telling | None = None, **choices: Any) -> Opened:
        """Settle what `formats.Choices` lists: who the model learns to be, whether a template is taken apart."""
        draft = self.get(draft_id)
        settled = choices_of({**draft.choices, **choices})
        opened = self.open(draft_id)
        if settled.me and settled.me not in opened.mapping.speakers:
            raise StudioError("This person cannot be chosen.", "Nobody in the chats has this name.", "Pick one from the list.")
        return self._keep(replace(draft, choices={**draft.choices, **choices}), telling)

    def share_out(self, draft_id: str, telling: Telling | None = None, *, validation: float, seed: int) -> Opened:
        """How many rows are kept aside, and by which draw."""
        if isinstance(seed, float) and seed.is_integer():
            seed = int(seed)
        if faults := share_faults(validation, seed):
            raise StudioError("The rows were not shared out anew.", " ".join(faults), "Change it and try again.")
        return self._keep(replace(self.get(draft_id), validation=float(validation), seed=seed), telling)

    def tell_origin(self, draft_id: str, **values: Any) -> Provenance:
        """Answer questions of `studio/provenance.py` before saving. Raises ConfigError that names every bad answer."""
        draft = self.get(draft_id)
        found = provenance.answered(self.origin(draft_id), **values)
        write_json(self.folder(draft_id) / "draft.json", asdict(replace(draft, provenance=found.to_json())))
        return found

    # ---- change rows; each returns the draft with its rows as they now are

    def change_row(self, draft_id: str, row_id: int, example: Example) -> Opened:
        """Put another text into a row. Raises StudioError when it cannot be learned from."""
        return self.apply_changes(draft_id, "Row changed", {row_id: example})

    def remove_rows(self, draft_id: str, ids: Iterable[int], label: str = "Rows taken out") -> Opened:
        """Take rows out. Raises NotFound when one is not there."""
        return self.apply_changes(draft_id, label, dict.fromkeys(ids))

    def add_row(self, draft_id: str, example: Example) -> Opened:
        """Add a row behind the others. Raises StudioError when it cannot be learned from."""
        return self._edit(draft_id, "Row added", lambda opened: added(opened, example))

    def apply_changes(self, draft_id: str, label: str, changes: Map[int, Example | None]) -> Opened:
        """Change many rows at once, as one step to undo: ids of rows to what they become, None takes one out.

        Raises StudioError, and changes nothing, when a row is not there or would become one that cannot be learned from.
        """
        return self._edit(draft_id, label, lambda opened: fitting(opened, changes))

    def decide(self, draft_id: str, label: str, kept: Kept) -> Opened:
        """Write down what the person leaves as it is, as one step to undo. Raises NotFound when a row is not there."""
        with self._editing:
            opened = self.open(draft_id)
            for row in kept.ids:
                opened.rows.position(row)
            self.workspace.require_space(2**20, "for this decision")
            self._edits(draft_id).add(opened.key, Edit(display_name(label), {}, kept=kept))
            return self._touched(opened.draft)

    def undo(self, draft_id: str) -> Opened:
        """Take the last change back. Raises StudioError when there is none."""
        return self._step(draft_id, "undo")

    def redo(self, draft_id: str) -> Opened:
        """Make the change again that was taken back last. Raises StudioError when there is none."""
        return self._step(draft_id, "redo")

    def history(self, draft_id: str) -> list[tuple[str, int, float]]:
        """Every change that counts, in order: what it was, how many rows it touched, when (seconds since 1970)."""
        return [(edit.label, len(edit.changes), edit.at) for edit in self.open(draft_id).log.done]

    def _edit(self, draft_id: str, label: str, changes: Callable[[Opened], Map[int, Example | None]]) -> Opened:
        with self._editing:
            opened = self.open(draft_id)
            found = changes(opened)
            if not found:
                return opened
            self.workspace.require_space(2**20, "for this change")
            self._edits(draft_id).add(opened.key, Edit(display_name(label), found))
            return self._touched(opened.draft)

    def _step(self, draft_id: str, way: str) -> Opened:
        with self._editing:
            opened = self.open(draft_id)
            self._edits(draft_id).step(opened.key, way)
            return self._touched(opened.draft)

    def _touched(self, draft: Draft) -> Opened:
        """The draft with its rows anew; it is now the one that was touched last."""
        os.utime(self.folder(draft.id) / "draft.json")
        return self._opened(draft)

    # ---- end

    def save(self, draft_id: str, name: str = "", telling: Telling | None = None) -> Dataset:
        """Make the draft a data set and remove the draft.

        Raises:
            StudioError: there is nothing to learn from.
            Stopped: `telling` ended it; the draft is as it was.
        """
        opened = self.open(draft_id)
        draft, source = opened.draft, self._source(opened.draft)
        if opened.converted.examples and not opened.rows:
            raise StudioError("There is nothing to learn from.", "Every row was taken out.", "Undo that, or add a row.")
        telling = telling or Telling()
        record = self.datasets.create(
            display_name(name or nice_name(draft), "My examples"),
            opened.rows,
            opened.splits,
            original=source,
            left_out=opened.left_out,
            row_ids=opened.rows.ids,
            edits=lines_of(opened.key, opened.log),
            tell=lambda done: telling.tell("save", done, len(opened.rows), done),
            format=opened.mapping.format,
            seed=draft.seed,
            validation=draft.validation,
            reading={**opened.reading.summary(), "options": asdict(draft.options)},
            mapping=opened.mapping.to_json(),
            goal=GOALS.get(opened.mapping.format, "questions"),
            provenance=provenance.with_files(self.origin(draft_id), [(draft.name, source)]),
            parent=draft.parent,
        )
        self.delete(draft_id)
        return record

    def delete(self, draft_id: str) -> None:
        """Remove a draft; nothing happens when it is gone already."""
        shutil.rmtree(self.folder(draft_id), ignore_errors=True)
        self._rows.forget(draft_id)
        self._files.pop(draft_id, None)
        self._applied = None

    # ---- inside

    def folder(self, draft_id: str) -> Path:
        """Where the draft lies; it need not exist. Raises NotFound for what is no draft."""
        if not isinstance(draft_id, str) or not draft_id.startswith(PREFIX):
            raise NotFound("This data is not open any more.", "", "Add the file again.")
        return self.workspace.folder("cache", draft_id)

    def _source(self, draft: Draft) -> Path:
        return self.folder(draft.id) / "source" / draft.file

    def _keep(self, draft: Draft, telling: Telling | None = None) -> Opened:
        """Write the draft if it can be used as it is; a change that cannot be used leaves it as it was."""
        opened = self._opened(draft, telling)
        write_json(self.folder(draft.id) / "draft.json", asdict(draft))
        return opened

    def _opened(self, draft: Draft, telling: Telling | None = None) -> Opened:
        telling = telling or Telling()
        reading, base = self._rows.reading(draft, telling), self._rows.base(draft, telling)
        with self._editing:
            edits = self._edits(draft.id)
            log, notes = edits.log(base.key), edits.notes(base.key)
        self._applied = state = Applied.of(base, log, draft, self._applied)
        return Opened(draft, reading, base.mapping, base.converted, state.rows, state.splits, log, base.key, notes)

    def _edits(self, draft_id: str) -> EditFile:
        return self._files.setdefault(draft_id, EditFile(self.folder(draft_id) / "edits.jsonl"))
