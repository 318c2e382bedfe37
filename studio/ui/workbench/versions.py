"""Earlier and later versions of the data, what differs between them, the way back, and the rows as a file."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr
from markupsafe import Markup

from studio import versions
from studio.data import write
from studio.data.differ import describe
from studio.errors import StudioError
from studio.records import Dataset
from studio.ui import pieces
from studio.ui import words_data as words
from studio.ui.data_parts import show_dataset
from studio.ui.guard import components
from studio.workspace import slug

if TYPE_CHECKING:
    from studio.ui.studio import Studio
    from studio.ui.tabs.data import View

SHOWN = 8  # rows of each kind of change
KINDS = {"changed": "Changed", "added": "Added", "removed": "Taken out"}
LONGEST = 400  # letters of a part that stayed as it was
# The button that saves the file appears a moment after the file is there; pressing it here makes one click of two
SAVE_JS = """() => {
  let tries = 0;
  const press = () => {
    const button = document.querySelector('#rows-file');
    if (button) button.click();
    else if (++tries < 40) setTimeout(press, 100);
  };
  setTimeout(press, 100);
}"""


@dataclass(frozen=True)
class Versions:
    """The cards' components. `other` is the version that the shown one is compared with."""

    card: gr.Column
    head: gr.HTML
    other: gr.Dropdown
    difference: gr.HTML
    restore: gr.Button
    take: gr.Column
    kind: gr.Dropdown
    make: gr.Button
    file: gr.DownloadButton


def build() -> Versions:
    """Layout only."""
    with pieces.card(visible=False) as card:
        head = pieces.html(pieces.head(words.VERSIONS_TITLE))
        other = gr.Dropdown([], label=words.VERSIONS_COMPARE, interactive=True, filterable=False)
        difference = pieces.html("", elem_classes="hidden-empty")
        with pieces.buttons():
            restore = gr.Button(words.VERSIONS_RESTORE, size="sm", interactive=False)
    with pieces.card(visible=False) as take:
        pieces.html(pieces.head(words.TAKE_TITLE, words.TAKE_NOTE))
        kinds = [(label, key) for key, label in write.KINDS.items()]
        kind = gr.Dropdown(kinds, value="csv", label=words.TAKE_KIND, interactive=True, filterable=False)
        with pieces.buttons():
            make = gr.Button(words.TAKE_GO, size="sm")
            file = gr.DownloadButton(words.TAKE_GO, size="sm", visible=False, elem_id="rows-file")
    return Versions(card, head, other, difference, restore, take, kind, make, file)


def connect(on: Any, view: View, shell: Any) -> None:
    """Wiring only."""
    own = view.versions
    here = {"outputs": components(own)}
    on(own.other.input, compare, [shell.dataset_id, own.other], show_progress_on=own.difference, **here)
    on(own.restore.click, restore, [own.other])
    made = on(own.make.click, make_file, [shell.dataset_id, own.kind], show_progress_on=own.make, **here)
    made.success(None, None, None, js=SAVE_JS, show_progress="hidden")


# ---- handlers


def show(studio: Studio, view: View, shell: Any, draft_id: Any, dataset_id: Any) -> dict[Any, Any]:
    """The versions of a saved set; a draft has none yet."""
    own = view.versions
    saved = not draft_id and dataset_id in studio.datasets.ids()
    family = versions.lineage(studio.datasets, dataset_id) if saved else []
    others = [(name_of(record), record.id) for record in family if record.id != dataset_id]
    return {
        own.card: gr.update(visible=bool(others)),
        own.head: pieces.show(pieces.head(words.VERSIONS_TITLE, pieces.count(len(family), "version"))),
        own.other: gr.update(choices=others, value=None),
        own.difference: pieces.show(""),
        own.restore: gr.update(interactive=False),
        own.take: gr.update(visible=saved),
        own.make: gr.update(visible=True),
        own.file: gr.update(visible=False, value=None),
    }


def compare(studio: Studio, view: View, shell: Any, dataset_id: Any, other: Any) -> dict[Any, Any]:
    """What differs between the chosen version and the one that is shown."""
    one, two = studio.datasets.get(other), studio.datasets.get(dataset_id)
    old, new = sorted((one, two), key=lambda record: record.created_at)
    found = versions.difference(studio.datasets, old.id, new.id)
    return {
        view.versions.difference: pieces.show(listed(found)),
        view.versions.restore: gr.update(interactive=True),
    }


def restore(studio: Studio, view: View, shell: Any, other: Any) -> dict[Any, Any]:
    """Make a new version that equals the chosen one, and show it."""
    if not other:
        raise StudioError("Nothing was changed.", "No version is chosen.", "Pick one from the list.")
    record = versions.restore(studio.datasets, other)
    return {**show_dataset(studio, view, record), shell.dataset_id: record.id}


def make_file(studio: Studio, view: View, shell: Any, dataset_id: Any, kind: Any) -> dict[Any, Any]:
    """Write the rows as a file and offer it; the page saves it right away."""
    record = studio.datasets.get(dataset_id)
    folder = studio.workspace.root / "uploads" / f"rows-{record.id}"  # the only folder that is served
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    path = folder / f"{slug(record.name)}.{kind if kind in write.KINDS else 'csv'}"
    write.write(studio.rows(record.id), path, kind, record.format)
    return {
        view.versions.make: gr.update(visible=False),
        view.versions.file: gr.update(value=str(path), label=words.TAKE_AGAIN.format(name=path.name), visible=True),
    }


# ---- what is shown


def name_of(record: Dataset) -> str:
    """A version as it stands in the list."""
    return f"{pieces.moment(record.created_at)}, {record.name}, {pieces.count(record.rows, 'row')}"


def listed(found: versions.Difference) -> Markup:
    """The counts in a line, then some rows of each kind with what was taken out and put in."""
    counts = {kind: number for kind, number in found.counts.items() if number}
    if not counts:
        return pieces.small(words.VERSIONS_SAME)
    line = ", ".join(f"{KINDS[kind].lower()}: {number:,}" for kind, number in counts.items())
    told = f"From {pieces.moment(found.old.created_at)} to {pieces.moment(found.new.created_at)}: {line}."
    parts = [Markup("<p>{}</p>").format(told)]
    for kind, number in counts.items():
        rows = [changed_row(change) for change in found.page(kind, count=SHOWN)]
        more = pieces.small(f"And {number - SHOWN:,} more.") if number > SHOWN else ""
        parts.append(Markup('<h3>{}</h3><ul class="changes">{}</ul>{}').format(KINDS[kind], pieces.join(rows), more))
    return pieces.join(parts)


def changed_row(change: versions.Change) -> Markup:
    """One row: its words, those taken out struck through, those put in underlined."""
    spans = []
    for part in describe(change.before, change.after):
        for kind, text in part.spans:
            tag = {"added": "ins", "removed": "del"}.get(kind, "span")
            spans.append(Markup(f"<{tag}>{{}}</{tag}>").format(pieces.lines(pieces.short(text, LONGEST))))
        spans.append(Markup("<br>"))
    return Markup('<li><span class="muted">Row {:,}</span> {}</li>').format(change.row + 1, pieces.join(spans[:-1]))
