"""What the Data tab shows in each of its states: the beginning, a draft, a saved set, and one row of either."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr
from markupsafe import Markup

from studio.checkup import state_of
from studio.data.detect import FORMATS
from studio.data.edits import Log
from studio.drafts import Opened, nice_name
from studio.records import Dataset, Example
from studio.samples import samples
from studio.ui import examples as shown
from studio.ui import pieces, words, words_data
from studio.ui.studio import Studio
from studio.workspace import gib

if TYPE_CHECKING:
    from studio.ui.tabs.data import View


NO_ENCODING = {"xlsx", "parquet", "docx", "pdf", "several"}  # kinds that say themselves how letters are stored


def show_start(studio: Studio, view: View) -> dict[Any, Any]:
    """Samples first, then the drop zone, then what was saved before."""
    starter = studio.catalog.get("starter")
    names = [
        (f"{record.name}, {pieces.count(record.rows, 'row')}", record.id)
        for record in map(studio.datasets.get, studio.datasets.ids())
    ]
    return {
        view.draft_id: None,
        view.changed: "",
        view.start: gr.update(visible=True),
        view.filled: gr.update(visible=False),
        view.samples: pieces.show(shown.sample_cards(samples(), 0 if starter.ready else starter.download_bytes)),
        view.upload: None,
        view.paste: gr.update(value=""),
        view.saved_area: gr.update(visible=bool(names)),
        view.saved: gr.update(choices=names, value=None),
        view.next: gr.update(value=words.FIRST_DATA, interactive=False),
        view.next_note: pieces.next_note(words.NOTHING_LEAVES),
    }


def show_draft(studio: Studio, view: View, opened: Opened, model_id: str, at: int = 0, tokens: bool = False) -> dict[Any, Any]:
    """Everything about a draft, with every control as the draft has it."""
    draft, reading, mapping = opened.draft, opened.reading, opened.mapping
    rows = opened.rows
    form = FORMATS[mapping.format]
    more = [reading.sheet and f"sheet “{reading.sheet}”", reading.encoding, words.DELIMITER_NAMES.get(reading.delimiter, "")]
    line = shown.file_line(
        draft.name,
        ", ".join(item for item in more if item),
        len(reading.rows) + len(reading.left_out),
        opened.left_out,
        len(opened.left_out),
        reading.notes,
    )
    header = {None: "auto", True: "yes", False: "no"}[draft.options.header]
    changes = {
        view.draft_id: draft.id,
        view.changed: f"{draft.id} {state_of(opened)} {[edit.at for edit in opened.log.done if edit.kept][-1:]}",
        **ways_back(view, opened.log),
        view.file: pieces.show(line),
        view.again: gr.update(visible=False),
        view.sheet: gr.update(visible=len(reading.sheets) > 1, choices=list(reading.sheets), value=reading.sheet or None),
        view.reading: gr.update(visible=True),
        view.name: gr.update(value=nice_name(draft)),
        view.header: gr.update(value=header, visible=not draft.pasted and reading.kind in {"csv", "tsv", "xlsx"}),
        view.encoding: gr.update(value=draft.options.encoding, visible=not draft.pasted and reading.kind not in NO_ENCODING),
        view.delimiter: gr.update(value=draft.options.delimiter, visible=not draft.pasted and reading.kind in {"csv", "tsv"}),
        view.columns: gr.update(visible=True),
        view.columns_head: pieces.show(
            pieces.head(words.COLUMNS_TITLE, words.COLUMNS_NOTE[mapping.sure].format(reason=mapping.reason))
        ),
        view.format: gr.update(value=mapping.format),
        view.shares: pieces.show(shown.shares(opened.counts)),
        view.share_more: gr.update(visible=True),
        view.validation: gr.update(value=draft.validation),
        view.seed: gr.update(value=draft.seed),
        view.summary: pieces.show(shown.summary(form.label, rows, opened.counts, len(opened.left_out), {})),
    }
    changes |= show_roles(view, form, mapping.columns, reading.columns)
    changes |= show_choices(view, mapping)
    changes |= show_row(studio, view, rows, at, model_id, tokens)
    return changes | show_filled(studio, view, bool(rows))


def ways_back(view: View, log: Log) -> dict[Any, Any]:
    """The buttons that take the last change back, or make it again; each names it."""
    undone = log.edits[log.cursor :]
    last = (
        (view.findings.undo, words_data.UNDO, log.done[-1:]),
        (view.findings.redo, words_data.REDO, undone[:1]),
    )
    return {
        button: gr.update(visible=bool(edit), value=f"{word}: {pieces.short(edit[0].label, 50)}" if edit else word)
        for button, word, edit in last
    }


def show_roles(view: View, form: Any, chosen: Any, columns: Sequence[str]) -> dict[Any, Any]:
    """One dropdown for each role of the format."""
    changes = {}
    for slot, box in enumerate(view.roles):
        if slot >= len(form.roles):
            changes[box] = gr.update(visible=False, choices=[], value=None)
            continue
        role = form.roles[slot]
        names = [*([] if role.required else [("None", "")]), *[(pieces.short(name, 60), name) for name in columns]]
        value = chosen.get(role.key, None if role.required else "")
        changes[box] = gr.update(visible=True, label=role.label, choices=names, value=value)
    return changes


def show_choices(view: View, mapping: Any) -> dict[Any, Any]:
    """What is settled beside the columns, where there is anything to settle."""
    speakers = [(f"{pieces.short(name, 40)}, {pieces.count(turns, 'turn')}", name) for name, turns in mapping.speakers.items()]
    choices = mapping.choices
    return {
        view.me: gr.update(visible=bool(speakers), choices=speakers, value=choices.me or None),
        view.strip_template: gr.update(visible=bool(mapping.template), value=choices.strip_template),
        view.tools_as_text: gr.update(visible="tools" in mapping.columns, value=choices.tools_as_text),
    }


def show_dataset(
    studio: Studio, view: View, record: Dataset, at: int = 0, model_id: str = "", tokens: bool = False
) -> dict[Any, Any]:
    """A saved set: it never changes, so there is nothing to edit."""
    rows = studio.rows(record.id)
    left_out = studio.datasets.left_out(record.id, shown.MOST_LISTED)
    has_file = (studio.datasets.folder(record.id) / "original").is_dir()
    origin = record.provenance
    about = {"Licence": origin.get("licence"), "Written by": "a machine" if origin.get("machine_written") else None}
    kind = FORMATS[record.format].label if record.format in FORMATS else record.format
    file_name = str(origin.get("original_file") or "")
    line = shown.file_line(record.name, file_name, record.rows + record.left_out, left_out, record.left_out, ())
    changes = {
        view.draft_id: None,
        view.changed: record.id,
        **ways_back(view, Log()),
        view.file: pieces.show(line),
        view.again: gr.update(visible=has_file and not record.sample),
        view.sheet: gr.update(visible=False),
        view.reading: gr.update(visible=False),
        view.columns: gr.update(visible=False),
        view.shares: pieces.show(shown.shares(record.counts)),
        view.share_more: gr.update(visible=False),
        view.summary: pieces.show(shown.summary(kind, rows, record.counts, record.left_out, about)),
    }
    changes |= show_row(studio, view, rows, at, model_id, tokens)
    return changes | show_filled(studio, view, True, fetch=False)


def show_filled(studio: Studio, view: View, usable: bool, *, fetch: bool = True) -> dict[Any, Any]:
    """The page with data on it, and the way on, which names what it fetches."""
    starter = studio.catalog.get("starter")
    note = words.NEXT_MODEL_NOTE
    if fetch and not starter.ready:
        note = words.FETCHES.format(size=gib(starter.download_bytes)) + "."
    return {
        view.start: gr.update(visible=False),
        view.filled: gr.update(visible=True),
        view.next: gr.update(value=words.NEXT_MODEL if usable else words.FIRST_DATA, interactive=usable),
        view.next_note: pieces.next_note(note if usable else words.NO_ROW_NOTE),
    }


def show_row(studio: Studio, view: View, rows: Sequence[Example], at: int, model_id: str, tokens: bool) -> dict[Any, Any]:
    """One example, and its tokens where they are asked for."""
    at = at % len(rows) if rows else 0
    example = rows[at] if rows else None
    return {
        view.at: at,
        view.example_head: pieces.show(pieces.head(words.EXAMPLE_TITLE, shown.example_note(at, len(rows), example))),
        view.example: pieces.show(shown.one_example(example)),
        view.before: gr.update(interactive=len(rows) > 1),
        view.after: gr.update(interactive=len(rows) > 1),
        view.see_tokens: gr.update(value=tokens),
        view.tokens: pieces.show(token_picture(studio, example, model_id) if tokens and example else ""),
    }


def token_picture(studio: Studio, example: Example, model_id: str) -> Markup:
    """The exact pieces the chosen model reads, or why they cannot be shown yet."""
    if not studio.catalog.get(model_id).ready:
        return pieces.small(words.TOKENS_LATER)
    seen = studio.tokens.view(model_id, example)
    if isinstance(seen, str):
        return pieces.small(seen)
    view, learned, cut_turns = seen
    return pieces.tokens(view) + shown.token_legend(learned, cut_turns)
