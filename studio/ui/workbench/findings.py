"""What was found in the rows, each with the buttons that mend it, and a way back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import gradio as gr
from markupsafe import Markup

from studio.checkup import Checkup, Learning
from studio.data.learning import Lengths
from studio.errors import StudioError
from studio.records import Finding
from studio.ui import pieces
from studio.ui import words as words_page
from studio.ui import words_data as words
from studio.ui.data_parts import show_draft
from studio.ui.workbench import table

if TYPE_CHECKING:
    from studio.ui.studio import Studio
    from studio.ui.tabs.data import View

MARKS = {"stop": "bad", "warn": "warn", "info": "info"}
SHOW = "show"  # what the button that shows the rows asks for, in the place of a remedy's key
KEEP = "keep:"  # remedies that leave the rows as they are need no button
MOST_LABELS = 12
MOST_NOTES = 4  # of single rows under a finding
LIBRARY_POLL, LIBRARY_POLLS = 0.5, 80  # seconds, and how often: the library that counts tokens loads behind the page
LONGEST_AGAIN = 120.0  # seconds

# The list is drawn anew after every press: who was in it with the keyboard stays in it.
FINDINGS_JS = """
let inside = false;
element.addEventListener('click', ({target, detail}) => {
  const button = target.closest('button[data-at]');
  if (!button || button.disabled || detail > 1) return;
  inside = true;
  trigger('select', {...button.dataset});
});
watch('value', () => {
  if (!inside || document.activeElement !== document.body) return;
  const next = element.querySelector('button:not(:disabled)');
  if (next) next.focus();
});
"""


@dataclass(frozen=True)
class Findings:
    """The cards' components. `undo` takes back the last change, whichever card made it."""

    card: gr.Column
    head: gr.HTML
    list: gr.HTML
    undo: gr.Button
    redo: gr.Button
    learning_card: gr.Column
    learning: gr.HTML


def build() -> Findings:
    """Layout only."""
    with pieces.card() as card:
        head = pieces.html(pieces.head(words.FINDINGS_TITLE, words.FINDINGS_NOTE))
        listed = pieces.html("", js_on_load=FINDINGS_JS)
        with pieces.buttons():
            undo = gr.Button(words.UNDO, size="sm", visible=False)
            redo = gr.Button(words.REDO, size="sm", visible=False)
    with pieces.card(visible=False) as learning_card:
        pieces.html(pieces.head(words.LEARNING_TITLE))
        told = pieces.html("")
    return Findings(card, head, listed, undo, redo, learning_card, told)


def connect(on: Any, view: View, shell: Any) -> None:
    """Wiring only; `on` redraws the tab in turn."""
    about = {"concurrency_id": "findings", "concurrency_limit": 8, "trigger_mode": "always_last", "keep_notice": True}
    outputs = [view.findings.head, view.findings.list, view.findings.learning_card, view.findings.learning]
    on(view.changed.change, look, [view.draft_id, shell.dataset_id, shell.model_id], outputs=outputs, **about)
    on(view.findings.list.select, press, [view.draft_id, shell.dataset_id, shell.model_id, view.see_tokens], event=True)
    on(view.findings.undo.click, step(-1), [view.draft_id, shell.model_id, view.see_tokens], trigger_mode="multiple")
    on(view.findings.redo.click, step(1), [view.draft_id, shell.model_id, view.see_tokens], trigger_mode="multiple")


# ---- handlers


def look(studio: Studio, view: View, shell: Any, draft_id: Any, dataset_id: Any, model_id: Any) -> Iterator[dict[Any, Any]]:
    """Go through the rows, telling how far it is, and list what was found."""
    if not draft_id and dataset_id not in studio.datasets.ids():
        return
    checkup, counted = studio.checkups.begin(draft_id, dataset_id, model_id), studio.tokens.countable(model_id)
    while not checkup.wait(0.3):
        if not studio.checkups.current(checkup, draft_id):
            checkup.cancel()
            return  # the page waits with the next look until this handler ends
        yield {view.findings.list: pieces.show(waiting(checkup.progress))}
    yield from shown(view, checkup, editable=bool(draft_id))
    for _ in range(0 if counted or not studio.catalog.get(model_id).ready else LIBRARY_POLLS):
        time.sleep(LIBRARY_POLL)
        if not studio.checkups.current(checkup, draft_id):
            return
        if studio.tokens.countable(model_id):  # now it can be said which rows are too long
            again = studio.checkups.begin(draft_id, dataset_id, model_id)
            again.wait(LONGEST_AGAIN)
            yield from shown(view, again, editable=bool(draft_id))
            return


def shown(view: View, checkup: Checkup, *, editable: bool) -> Iterator[dict[Any, Any]]:
    """What a look has found. Nothing where the rows have changed meanwhile: their own look is on its way."""
    if checkup.error:
        raise checkup.error
    if checkup.findings is not None:
        yield {
            view.findings.head: pieces.show(pieces.head(words.FINDINGS_TITLE, summary(checkup.findings))),
            view.findings.list: pieces.show(rows(checkup.findings, editable=editable)),
            view.findings.learning_card: gr.update(visible=True),
            view.findings.learning: pieces.show(learning(checkup.learning)),
        }


def press(studio: Studio, view: View, shell: Any, event: gr.EventData, *shown: Any) -> dict[Any, Any]:
    """A remedy's button, or the one that shows the rows of a finding in the table."""
    draft_id, dataset_id, model_id, tokens = shown
    asked = getattr(event, "_data", None) or {}
    checkup = studio.checkups.begin(draft_id, dataset_id, model_id)
    checkup.wait(LONGEST_AGAIN)
    finding = meant(checkup.findings or (), asked)
    if finding is None:
        raise StudioError("Nothing was changed.", "The rows have changed since this was found.", "Look at the list again.")
    if asked.get("remedy") == SHOW:
        return table.show_only(studio, view, (draft_id, dataset_id), checkup.ids(finding), finding.title)
    label = next((item.label for item in finding.remedies if item.key == asked.get("remedy")), None)
    if label is None or not draft_id:
        raise StudioError("Nothing was changed.", "This remedy is not known.", "Pick one of the buttons.")
    opened = studio.drafts.apply_changes(draft_id, f"{label}: {finding.title}", checkup.mended(finding, asked["remedy"]))
    return show_draft(studio, view, opened, model_id, tokens=bool(tokens))


def meant(findings: Sequence[Finding], asked: Mapping[str, Any]) -> Finding | None:
    """The finding whose button was pressed.

    Where a change came between the list and the press, it is the one that now says the same of the rows that are left.
    """
    if exact := [item for item in findings if mark_of(item) == asked.get("at")]:
        return exact[0]
    alike = [
        item
        for item in findings
        if item.check == asked.get("check") and any(remedy.key == asked.get("remedy") for remedy in item.remedies)
    ]
    return alike[0] if len(alike) == 1 else None


def mark_of(finding: Finding) -> str:
    """What tells a finding from the others, also in another look through the same rows."""
    return blake2b(f"{finding.check} {finding.title} {finding.rows}".encode(), digest_size=8).hexdigest()


def step(by: int) -> Any:
    """A handler that takes the last change back (-1), or makes it again (1)."""

    def handle(studio: Studio, view: View, shell: Any, draft_id: Any, model_id: Any, tokens: Any) -> dict[Any, Any]:
        opened = studio.drafts.undo(draft_id) if by < 0 else studio.drafts.redo(draft_id)
        return show_draft(studio, view, opened, model_id, tokens=bool(tokens))

    handle.__name__ = "undo" if by < 0 else "redo"
    return handle


# ---- what is shown


def waiting(progress: tuple[int, int, str]) -> Markup:
    """How far the look is."""
    done, whole, _ = progress
    share = 100 * done / whole if whole else 0
    return Markup('<div role="status">{}{}</div>').format(
        pieces.small(words.LOOKING), pieces.bar(f"{share:.0f} % of the rows", [(share, "c-accent")], thin=True)
    )


def summary(findings: Sequence[Finding]) -> str:
    """The line on the right of the card's title."""
    worth = sum(finding.level != "info" for finding in findings)
    return words.FINDINGS_NOTE if worth else words.NOTHING_FOUND_NOTE


def rows(findings: Sequence[Finding], *, editable: bool) -> Markup:
    """One row a finding: sign, title, sentence, and its buttons. `editable`: whether remedies are offered."""
    if not findings:
        return pieces.checks([("ok", words.NOTHING_FOUND)])
    made = [finding_row(finding, editable) for finding in findings]
    more = "" if editable else pieces.small(words.SAVED_SET)
    return Markup('<div class="rows">{}</div>{}').format(pieces.join(made), more)


def finding_row(finding: Finding, editable: bool) -> Markup:
    """One finding."""
    offered = [item for item in finding.remedies if editable and not item.key.startswith(KEEP)]
    buttons = [button(finding, item.key, item.label) for item in offered]
    if finding.rows:
        buttons.append(button(finding, SHOW, words.SHOW_ROWS))
    notes = [Markup("<li>{}</li>").format(note) for note in list(finding.notes.values())[:MOST_NOTES]]
    listed = Markup('<ul class="notes small muted">{}</ul>').format(pieces.join(notes)) if notes else ""
    return Markup(
        '<div class="finding">{}<div><b>{}</b><div class="small muted">{}</div>{}</div><div class="acts">{}</div></div>'
    ).format(pieces.mark(MARKS.get(finding.level, "info")), finding.title, finding.text, listed, pieces.join(buttons))


def button(finding: Finding, key: str, label: str) -> Markup:
    """One button; its name for a screen reader says what it is about."""
    return Markup(
        '<button type="button" class="btn small" data-at="{}" data-check="{}" data-remedy="{}" aria-label="{}: {}">{}</button>'
    ).format(mark_of(finding), finding.check, key, label, finding.title, label)


def learning(found: Learning | None) -> Markup:
    """Whether the rows suffice, facts or style, and how long they are."""
    if found is None:
        return Markup("")
    said = [("ok" if found.amount.enough else "warn", found.amount.text)]
    if found.variety.text:
        said.append(("info", found.variety.text))
    parts = [pieces.checks(said)]
    if found.labels:
        parts.append(label_bars(found.labels))
    if found.lengths.counts:
        parts.append(histogram(found.lengths))
    return pieces.join(parts)


def label_bars(labels: Sequence[tuple[str, int]]) -> Markup:
    """A bar for each of the most usual categories."""
    most = max(count for _, count in labels)
    rows = [
        (pieces.short(name, 60), pieces.bar(f"{count} rows", [(100 * count / most, "c-accent")], thin=True), f"{count:,}")
        for name, count in labels[:MOST_LABELS]
    ]
    more = pieces.small(f"And {len(labels) - MOST_LABELS:,} more categories.") if len(labels) > MOST_LABELS else ""
    table_ = pieces.table(["Category", "", "Rows"], rows, cls="bars", classes=["", "wide", "num"], caption="Rows by category")
    return Markup("<h3>{}</h3>{}{}").format(words.LABELS_TITLE, table_, more)


def histogram(lengths: Lengths) -> Markup:
    """How many rows are how long, in pieces, and where they are cut."""
    most, top = max(lengths.counts), lengths.edges[-1]
    columns = []
    for at, count in enumerate(lengths.counts):
        low, high = lengths.edges[at], lengths.edges[at + 1]
        cls = "over" if lengths.cut and low >= lengths.cut else ""
        said = f"{low:,.0f} to {high:,.0f} pieces: {pieces.count(count, 'row')}"
        columns.append(Markup('<i class="{}" style="height:{}%" title="{}"></i>').format(cls, round(100 * count / most, 1), said))
    longest = f"The longest row has {top - 1:,.0f} pieces."
    if lengths.rows_cut:
        longest += (
            f" {pieces.count(lengths.rows_cut, 'row')} {'is' if lengths.rows_cut == 1 else 'are'} longer than {lengths.cut:,}."
        )
    else:
        longest += f" Up to {lengths.cut:,} are learned of a row, so none is cut."
    line = Markup("")
    if lengths.cut and lengths.cut < top:
        line = Markup('<u style="left:{}%"></u>').format(round(100 * lengths.cut / top, 2))
    return Markup('<h3>{}</h3><div class="histogram" role="img" aria-label="{}">{}{}</div>{}').format(
        words.LENGTHS_TITLE, longest, pieces.join(columns), line, pieces.small(f"{longest} {words_page.PIECE}")
    )
