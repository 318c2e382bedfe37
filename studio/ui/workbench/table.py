"""Every row, to search, sort, mend, take out and add: what is typed into a field is kept as soon as it is left."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import gradio as gr
from markupsafe import Markup

from studio.data.edits import Edited
from studio.data.table import SORTS, Row, page_of
from studio.errors import StudioError
from studio.records import Example
from studio.ui import pieces
from studio.ui import words_data as words
from studio.ui.data_parts import show_draft
from studio.ui.guard import components

if TYPE_CHECKING:
    from studio.ui.studio import Studio
    from studio.ui.tabs.data import View

AT_ONCE = 5  # rows on the page
MOST_TURNS = 4  # of a chat that are open at once
MOST_LETTERS = 20_000  # of one field; a longer text is shown by its beginning and cannot be changed here
SAYS = {"user": "Question", "assistant": "Answer", "system": "Told first"}
KEPT_ASIDE = {"validation": "kept aside", "test": "for the last test"}

SORT_CHOICES = [
    (words.AS_READ, ""),
    *((f"{SORTS[key][0]}, {words.MOST_FIRST}", f"-{key}") for key in ("question", "answer")),
    (SORTS["label"][0], "label"),
]

# A field that is left after a change tells it. The rows are drawn anew, so the field that was gone to is found again.
# The second click of two is passed over: another row's button may have come to that place.
TABLE_JS = """
let at = null;
const name = ({dataset}) => dataset.row + '/' + (dataset.part || dataset.act || '');
element.addEventListener('change', ({target}) => {
  if (target.matches('textarea[data-row]')) trigger('select', {act: 'edit', ...target.dataset, text: target.value});
});
element.addEventListener('click', ({target, detail}) => {
  const button = target.closest('button[data-act]');
  if (button && detail < 2) trigger('select', {...button.dataset});
});
element.addEventListener('focusin', ({target}) => { at = target.dataset.row ? name(target) : null; });
watch('value', () => {
  if (!at || document.activeElement !== document.body) return;
  const all = [...element.querySelectorAll('[data-row]:is(textarea, button)')];
  const next = all.find((item) => name(item) === at) || all[0];
  if (next) next.focus({preventScroll: true});
});
"""


@dataclass(frozen=True)
class Table:
    """The card's components. `only` holds the ids that a finding is about, None for all; `start` the first row shown."""

    card: gr.Column
    head: gr.HTML
    search: gr.Textbox
    sort: gr.Dropdown
    only: gr.State
    only_note: gr.HTML
    everything: gr.Button
    rows: gr.HTML
    start: gr.State
    back: gr.Button
    on: gr.Button
    add: gr.Button
    adding: gr.Column
    question: gr.Textbox
    answer: gr.Textbox
    keep: gr.Button
    leave: gr.Button


@dataclass(frozen=True)
class Wanted:
    """Which rows are to be shown: of a search, in an order, of some ids only, from a place on."""

    search: str = ""
    sort: str = ""
    only: list[int] | None = None
    start: int = 0

    @classmethod
    def of(cls, search: Any = "", sort: Any = "", only: Any = None, start: Any = 0) -> Self:
        """From what the page sent, which may be anything."""
        return cls(
            search if isinstance(search, str) else "",
            sort if isinstance(sort, str) else "",
            [item for item in only if isinstance(item, int)] if isinstance(only, list) else None,
            start if isinstance(start, int) and start > 0 else 0,
        )


def build() -> Table:
    """Layout only."""
    made: dict[str, Any] = {"only": gr.State(None), "start": gr.State(0)}
    with pieces.card() as made["card"]:
        made["head"] = pieces.html(pieces.head(words.TABLE_TITLE))
        with pieces.pair():
            made["search"] = gr.Textbox(label=words.SEARCH, max_lines=1, max_length=200, interactive=True)
            made["sort"] = gr.Dropdown(SORT_CHOICES, value="", label=words.SORT, interactive=True, filterable=False)
        with gr.Row(elem_classes="file-row"):
            made["only_note"] = pieces.html("", elem_classes="hidden-empty")
            with pieces.buttons("end"):
                made["everything"] = gr.Button(words.ALL_ROWS, size="sm", visible=False)
        made["rows"] = pieces.html("", js_on_load=TABLE_JS)
        with pieces.buttons():
            made["back"] = gr.Button(words.ROWS_BACK, size="sm", interactive=False)
            made["on"] = gr.Button(words.ROWS_ON, size="sm", interactive=False)
            made["add"] = gr.Button(words.ADD_ROW, size="sm")
        with gr.Column(visible=False, elem_classes="ask", min_width=0) as made["adding"]:
            made["question"] = gr.Textbox(label="Question", lines=2, max_length=MOST_LETTERS, interactive=True)
            made["answer"] = gr.Textbox(label="Answer", lines=2, max_length=MOST_LETTERS, interactive=True)
            with pieces.buttons():
                made["keep"] = gr.Button(words.KEEP_ROW, size="sm", variant="primary")
                made["leave"] = gr.Button(words.CANCEL, size="sm")
    return Table(**made)


def connect(on: Any, view: View, shell: Any) -> None:
    """Wiring only."""
    own = view.table
    data = [view.draft_id, shell.dataset_id]
    how = [own.search, own.sort, own.only, own.start]
    here = {"outputs": components(own)}  # the fewer outputs, the less the page has to look through
    for trigger in (own.search.change, own.sort.input):
        on(trigger, show_first, [*data, own.search, own.sort, own.only], trigger_mode="always_last", **here)
    on(own.everything.click, show_everything, data, **here)
    on(own.back.click, turn(-AT_ONCE), [*data, *how], trigger_mode="multiple", **here)
    on(own.on.click, turn(AT_ONCE), [*data, *how], trigger_mode="multiple", **here)
    on(own.rows.select, press, [view.draft_id, shell.model_id, view.see_tokens], event=True)
    on(own.add.click, open_form, data, **here)
    on(own.leave.click, close_form, **here)
    on(own.keep.click, add, [view.draft_id, shell.model_id, view.see_tokens, own.question, own.answer])


# ---- handlers


def show_again(studio: Studio, view: View, shell: Any, *values: Any) -> dict[Any, Any]:
    """The rows as they are now, from the place that is shown."""
    draft_id, dataset_id, *how = values
    return show(studio, view, draft_id, dataset_id, Wanted.of(*how))


def show_first(studio: Studio, view: View, shell: Any, *values: Any) -> dict[Any, Any]:
    """The first rows of another search or order."""
    draft_id, dataset_id, *how = values
    return show(studio, view, draft_id, dataset_id, Wanted.of(*how))


def show_everything(studio: Studio, view: View, shell: Any, draft_id: Any, dataset_id: Any) -> dict[Any, Any]:
    """All rows again."""
    return {**show(studio, view, draft_id, dataset_id, Wanted()), view.table.search: gr.update(value="")}


def turn(by: int) -> Any:
    """A handler that shows the rows `by` further on."""

    def handle(studio: Studio, view: View, shell: Any, *values: Any) -> dict[Any, Any]:
        draft_id, dataset_id, search, sort, only, start = values
        begin = (start if isinstance(start, int) else 0) + by
        return show(studio, view, draft_id, dataset_id, Wanted.of(search, sort, only, begin))

    handle.__name__ = "rows_back" if by < 0 else "rows_on"
    return handle


def show_only(studio: Studio, view: View, shown: tuple[Any, Any], only: Sequence[int], title: str) -> dict[Any, Any]:
    """The rows of one finding. `shown` is the draft's and the data set's id."""
    return {
        **show(studio, view, *shown, Wanted(only=list(only))),
        view.table.search: gr.update(value=""),
        view.table.only_note: pieces.show(pieces.small(words.ONLY.format(title=title))),
    }


def press(studio: Studio, view: View, shell: Any, event: gr.EventData, *shown: Any) -> dict[Any, Any]:
    """A field that was changed, or the button that takes a row out."""
    draft_id, model_id, tokens = shown
    asked = getattr(event, "_data", None) or {}
    row = int(asked["row"]) if str(asked.get("row", "")).isdecimal() else -1
    if asked.get("act") == "out":
        opened = studio.drafts.remove_rows(draft_id, [row], words.TOOK_OUT)
    elif asked.get("act") == "edit":
        example = studio.drafts.open(draft_id).rows.row(row)
        opened = studio.drafts.change_row(draft_id, row, with_part(example, asked.get("part"), asked.get("text")))
    else:
        raise StudioError("Nothing was changed.", "This is not known.", "Pick one of the buttons.")
    return show_draft(studio, view, opened, model_id, tokens=bool(tokens))


def open_form(studio: Studio, view: View, shell: Any, draft_id: Any, dataset_id: Any) -> dict[Any, Any]:
    """The fields for a new row: two for an exchange, one for plain text."""
    rows, _ = rows_of(studio, draft_id, dataset_id)
    plain = bool(len(rows)) and not rows[0].messages
    return {
        view.table.adding: gr.update(visible=True),
        view.table.question: gr.update(value="", visible=not plain),
        view.table.answer: gr.update(value="", label=words.PLAIN_TEXT if plain else "Answer"),
    }


def close_form(studio: Studio, view: View, shell: Any) -> dict[Any, Any]:
    """Put the fields away."""
    return {view.table.adding: gr.update(visible=False)}


def add(studio: Studio, view: View, shell: Any, *values: Any) -> dict[Any, Any]:
    """Keep the new row."""
    draft_id, model_id, tokens, question, answer = values
    rows = studio.drafts.open(draft_id).rows
    plain = bool(len(rows)) and not rows[0].messages
    said = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    example = Example(text=answer) if plain else Example(messages=tuple(said))
    opened = studio.drafts.add_row(draft_id, example)
    return {**show_draft(studio, view, opened, model_id, tokens=bool(tokens)), view.table.adding: gr.update(visible=False)}


# ---- what is shown


def rows_of(studio: Studio, draft_id: Any, dataset_id: Any) -> tuple[Edited, Sequence[str]]:
    """Rows and splits of the open draft, or of the saved set; both empty where there is neither."""
    if draft_id:
        opened = studio.drafts.open(draft_id)
        return opened.rows, opened.splits
    if dataset_id not in studio.datasets.ids():
        return Edited((), {}, {}), ()
    return Edited(studio.rows(dataset_id), {}, {}), studio.splits(dataset_id)


def with_part(example: Example, part: Any, text: Any) -> Example:
    """The row with one of its texts changed. Raises StudioError."""
    if not isinstance(text, str):
        raise StudioError("The row was not changed.", "There is no text.", "Type it again.")
    if part == "text" and not example.messages:
        return dataclasses.replace(example, text=text)
    place = int(part) if isinstance(part, str) and part.isdecimal() and len(part) < 6 else -1
    if not 0 <= place < len(example.messages):
        raise StudioError("The row was not changed.", "It has no such part.", "Look at the row again.")
    messages = [dict(message) for message in example.messages]
    messages[place]["content"] = text
    label = text if example.label and place == len(messages) - 1 else example.label
    return dataclasses.replace(example, messages=tuple(messages), label=label)


def show(studio: Studio, view: View, draft_id: Any, dataset_id: Any, wanted: Wanted) -> dict[Any, Any]:
    """One page of rows, and the controls around it."""
    rows, splits = rows_of(studio, draft_id, dataset_id)
    only = wanted.only
    page = page_of(rows, wanted.search, only, wanted.sort, wanted.start, AT_ONCE)
    start = page.start
    draw = editable if draft_id else readable
    made = [draw(row, splits[row.at]) for row in page.rows]
    listed = Markup('<ol class="rowlist">{}</ol>').format(pieces.join(made)) if made else pieces.small(words.NO_ROWS)
    last = start + len(page.rows)
    place = f"{start + 1:,} to {last:,} of {page.total:,}" if page.rows else ""
    return {
        view.table.head: pieces.show(pieces.head(words.TABLE_TITLE, place)),
        view.table.rows: pieces.show(listed),
        view.table.only: only,
        view.table.start: start,
        view.table.everything: gr.update(visible=only is not None),
        **({} if only is not None else {view.table.only_note: pieces.show("")}),
        view.table.back: gr.update(interactive=start > 0, visible=page.total > AT_ONCE),
        view.table.on: gr.update(interactive=last < page.total, visible=page.total > AT_ONCE),
        view.table.add: gr.update(visible=bool(draft_id)),
    }


def editable(row: Row, split: str) -> Markup:
    """A row whose texts are fields."""
    row_id, example = row.id, row.example
    parts = [(str(at), SAYS.get(item["role"], "Says"), item["content"]) for at, item in enumerate(example.messages)]
    parts = parts or [("text", words.PLAIN_TEXT, example.text)]
    fields = []
    for part, label, text in parts:
        if len(text) > MOST_LETTERS:
            fields.append(
                Markup('<div class="field"><span>{}</span><p>{}</p>{}</div>').format(
                    label, pieces.short(text, 400), pieces.small(words.TOO_LONG_HERE)
                )
            )
            continue
        fields.append(
            Markup(
                '<label class="field"><span>{}</span><textarea rows="1" maxlength="{}" data-row="{}" data-part="{}">\n{}'
                "</textarea></label>"
            ).format(label, MOST_LETTERS, row_id, part, text)
        )
    fields = folded(fields)
    out = Markup(
        '<button type="button" class="btn small danger" data-act="out" data-row="{}" aria-label="{} {}">{}</button>'
    ).format(row_id, words.TAKE_OUT, row_id + 1, words.TAKE_OUT)
    return Markup('<li><div class="rowhead">{}{}</div>{}</li>').format(name_of(row_id, split), out, pieces.join(fields))


def readable(row: Row, split: str) -> Markup:
    """A row to read."""
    said = [(SAYS.get(item["role"], "Says"), item["content"]) for item in row.example.messages]
    parts = said or [(words.PLAIN_TEXT, row.example.text)]
    fields = [
        Markup('<div class="field"><span>{}</span><p>{}</p></div>').format(label, pieces.lines(pieces.short(text, 2000)))
        for label, text in parts
    ]
    return Markup('<li><div class="rowhead">{}</div>{}</li>').format(name_of(row.id, split), pieces.join(folded(fields)))


def folded(fields: list[Markup]) -> list[Markup]:
    """The first turns, and those of a long chat behind a line to open."""
    if len(fields) <= MOST_TURNS:
        return fields
    more = words.MORE_TURNS.format(count=len(fields) - MOST_TURNS)
    rest = Markup('<details class="quiet turns"><summary>{}</summary>{}</details>').format(more, pieces.join(fields[MOST_TURNS:]))
    return [*fields[:MOST_TURNS], rest]


def name_of(row_id: int, split: str) -> Markup:
    """The row's number, and where it is kept aside."""
    kept = pieces.tag(KEPT_ASIDE[split]) if split in KEPT_ASIDE else ""
    return Markup("<b>Row {:,}</b>{}").format(row_id + 1, kept)
