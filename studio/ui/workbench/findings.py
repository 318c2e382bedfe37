"""What was found in the rows, each with the buttons that mend it, and a way back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import gradio as gr
from markupsafe import Markup

from studio.checkup import Checkup
from studio.data.edits import Kept
from studio.errors import NotFound, StudioError
from studio.records import Finding
from studio.ui import pieces
from studio.ui import words_data as words
from studio.ui.data_parts import show_draft
from studio.ui.workbench import lengths, table

if TYPE_CHECKING:
    from studio.ui.studio import Studio
    from studio.ui.tabs.data import View

MARKS = {"stop": "bad", "warn": "warn", "info": "info"}
SHOW = "show"  # what the button that shows the rows asks for, in the place of a remedy's key
KEEP, KEEP_NO_LONGER = "keep", "keep no longer"  # and what those ask for that write down a decision
MOST_NOTES = 4  # of single rows under a finding
LIBRARY_POLL, LIBRARY_POLLS = 0.5, 80  # seconds, and how often: the library that counts tokens loads behind the page
LOOK_POLL = 0.3  # seconds between two looks at how far it is
A_MOMENT = 1.0  # seconds a press waits for a look that is nearly done; the tab's other buttons wait behind it

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
    stop: gr.Button
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
            stop = gr.Button(words.LOOK_STOP, size="sm", visible=False)
            undo = gr.Button(words.UNDO, size="sm", visible=False)
            redo = gr.Button(words.REDO, size="sm", visible=False)
    with pieces.card(visible=False) as learning_card:
        pieces.html(pieces.head(words.LEARNING_TITLE))
        told = pieces.html("")
    return Findings(card, head, listed, stop, undo, redo, learning_card, told)


def connect(on: Any, view: View, shell: Any) -> None:
    """Wiring only; `on` redraws the tab in turn."""
    about = {"concurrency_id": "findings", "concurrency_limit": 8, "trigger_mode": "always_last", "keep_notice": True}
    outputs = [view.findings.head, view.findings.list, view.findings.stop, view.findings.learning_card, view.findings.learning]
    on(view.changed.change, look, [view.draft_id, shell.dataset_id, shell.model_id], outputs=outputs, **about)
    on(view.findings.list.select, press, [view.draft_id, shell.dataset_id, shell.model_id, view.see_tokens], event=True)
    ids = [view.draft_id, shell.dataset_id]
    on(view.findings.stop.click, stop, ids, outputs=[], concurrency_id="findings-stop", concurrency_limit=8)
    on(view.findings.undo.click, step(-1), [view.draft_id, shell.model_id, view.see_tokens], trigger_mode="multiple")
    on(view.findings.redo.click, step(1), [view.draft_id, shell.model_id, view.see_tokens], trigger_mode="multiple")


# ---- handlers


def look(studio: Studio, view: View, shell: Any, draft_id: Any, dataset_id: Any, model_id: Any) -> Iterator[dict[Any, Any]]:
    """Go through the rows, telling how far it is, and list what was found."""
    about = draft_id, dataset_id, model_id
    if not draft_id and dataset_id not in studio.datasets.ids():
        return
    counted = studio.tokens.countable(model_id)
    checkup = yield from followed(studio, view, about)
    for _ in range(0 if counted or not studio.catalog.get(model_id).ready else LIBRARY_POLLS):
        time.sleep(LIBRARY_POLL)
        if checkup is None or not studio.checkups.current(checkup, draft_id):
            return  # the page waits with the next look until this handler ends
        if studio.tokens.countable(model_id):  # now it can be said which rows are too long
            yield from followed(studio, view, about, bar=False)
            return


def stop(studio: Studio, view: View, shell: Any, draft_id: Any, dataset_id: Any) -> dict[Any, Any]:
    """End the look through the rows."""
    studio.checkups.stop(draft_id or dataset_id)
    return {}


def followed(
    studio: Studio, view: View, about: tuple[Any, Any, Any], *, bar: bool = True
) -> Generator[dict[Any, Any], None, Checkup | None]:
    """One look to its end, and from the beginning where the rows change meanwhile, also by another window.

    Returns the look whose findings are shown; None when there is nothing to look at any more.
    """
    draft_id, dataset_id, _ = about
    while True:
        try:
            checkup = studio.checkups.begin(*about)
        except NotFound:
            return None
        with studio.checkups.watched(checkup):
            while not checkup.wait(LOOK_POLL) and studio.checkups.current(checkup, draft_id):
                if bar:
                    yield {
                        view.findings.list: pieces.show(waiting(checkup.progress)),
                        view.findings.stop: gr.update(visible=True),
                    }
        if checkup.stopped:
            yield {
                view.findings.list: pieces.show(pieces.small(words.LOOK_STOPPED)),
                view.findings.stop: gr.update(visible=False),
            }
            return None
        if checkup.error:
            raise checkup.error
        if checkup.findings is not None:
            with contextlib.suppress(NotFound):  # it was saved or closed in this moment
                yield shown(view, checkup, studio.checkups.kept(draft_id, dataset_id), editable=bool(draft_id))
            return checkup


def shown(view: View, checkup: Checkup, kept: Mapping[str, Mapping[int, float]], *, editable: bool) -> dict[Any, Any]:
    """What a look has found. `kept`: see `Checkups.kept`."""
    decided = {mark_of(item): standing(checkup.ids(item), kept.get(item.keep, {})) for item in checkup.findings if item.keep}
    return {
        view.findings.head: pieces.show(pieces.head(words.FINDINGS_TITLE, summary(checkup.findings, decided))),
        view.findings.list: pieces.show(rows(checkup.findings, decided, editable=editable)),
        view.findings.stop: gr.update(visible=False),
        view.findings.learning_card: gr.update(visible=True),
        view.findings.learning: pieces.show(lengths.learning(checkup.learning)),
    }


def press(studio: Studio, view: View, shell: Any, event: gr.EventData, *shown: Any) -> dict[Any, Any]:
    """A remedy's button, the one that keeps what was found, or the one that shows the rows of a finding in the table."""
    draft_id, dataset_id, model_id, tokens = shown
    asked = getattr(event, "_data", None) or {}
    remedy = asked.get("remedy")
    checkup, finding = found(studio, asked, (draft_id, dataset_id, model_id))
    if remedy == SHOW:
        return table.show_only(studio, view, (draft_id, dataset_id), checkup.ids(finding), finding.title)
    label = next((item.label for item in finding.remedies if item.key == remedy), None)
    if draft_id and finding.keep and remedy in (KEEP, KEEP_NO_LONGER):
        word = words.KEEP_FOUND if remedy == KEEP else words.KEEP_NO_LONGER
        decision = Kept(finding.keep, tuple(checkup.ids(finding)), remedy == KEEP)
        opened = studio.drafts.decide(draft_id, f"{word}: {finding.title}", decision)
    elif draft_id and label:
        opened = studio.drafts.apply_changes(draft_id, f"{label}: {finding.title}", checkup.mended(finding, remedy))
    else:
        raise StudioError("Nothing was changed.", "This remedy is not known.", "Pick one of the buttons.")
    return show_draft(studio, view, opened, model_id, tokens=bool(tokens))


def found(studio: Studio, asked: Mapping[str, Any], about: tuple[Any, Any, Any]) -> tuple[Checkup, Finding]:
    """The finding whose button was pressed, and a look through the rows as they are now that has it.

    Raises StudioError when the rows have changed since, or are still being looked through.
    """
    looks = studio.checkups.known(*about[:2]) or [studio.checkups.begin(*about)]
    if not any(look.findings is not None for look in looks):
        looks[0].wait(A_MOMENT)
    for look in looks:
        if finding := meant(look.findings or (), asked):
            return look, finding
    if not looks[0].wait(0):
        raise StudioError(words.NOT_YET, words.NOT_YET_WHY, words.NOT_YET_FIX)
    raise StudioError("Nothing was changed.", "The rows have changed since this was found.", "Look at the list again.")


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


def standing(ids: Sequence[int], kept: Mapping[int, float]) -> tuple[int, float | None]:
    """How many of a finding's rows were decided to stay, and since when all of them are; None where some are open."""
    times = [kept[row] for row in ids if row in kept]
    return len(times), max(times) if times and len(times) == len(ids) else None


def summary(findings: Sequence[Finding], decided: Mapping[str, tuple[int, float | None]]) -> str:
    """The line on the right of the card's title."""
    worth = any(item.level != "info" and decided.get(mark_of(item), (0, None))[1] is None for item in findings)
    return words.FINDINGS_NOTE if worth else words.NOTHING_FOUND_NOTE


def rows(findings: Sequence[Finding], decided: Mapping[str, tuple[int, float | None]], *, editable: bool) -> Markup:
    """One row a finding: sign, title, sentence, and its buttons; what is kept comes last. `editable`: with remedies.

    `decided`: mark of a finding -> `standing`.
    """
    if not findings:
        return pieces.checks([("ok", words.NOTHING_FOUND)])
    told = [(finding, *decided.get(mark_of(finding), (0, None))) for finding in findings]
    made = [finding_row(finding, some, editable) for finding, some, since in told if since is None]
    made += [kept_row(finding, since, editable) for finding, _, since in told if since is not None]
    more = "" if editable else pieces.small(words.SAVED_SET)
    return Markup('<div class="rows">{}</div>{}').format(pieces.join(made), more)


def finding_row(finding: Finding, some: int, editable: bool) -> Markup:
    """One finding. `some`: how many of its rows were decided to stay."""
    offered = [(item.key, item.label) for item in finding.remedies]
    if finding.keep:
        offered.append((KEEP, words.KEEP_FOUND))
    text = f"{finding.text} {words.KEPT_SOME.format(rows=pieces.count(some, 'row'))}" if some else finding.text
    return one_row(finding, MARKS.get(finding.level, "info"), (finding.title, text), offered if editable else [])


def kept_row(finding: Finding, since: float, editable: bool) -> Markup:
    """One finding that the person decided to leave as it is."""
    title = Markup("{} {}").format(finding.title, pieces.tag(words.KEPT))
    offered = [(KEEP_NO_LONGER, words.KEEP_NO_LONGER)] if editable else []
    return one_row(finding, "ok", (title, words.KEPT_SINCE.format(when=pieces.moment(since))), offered)


def one_row(finding: Finding, mark: str, said: tuple[Any, str], offered: Sequence[tuple[str, str]]) -> Markup:
    """Sign, title and sentence, notes and buttons. `offered`: what each button asks for, and its word."""
    buttons = [button(finding, key, label) for key, label in offered]
    if finding.rows:
        buttons.append(button(finding, SHOW, words.SHOW_ROWS))
    notes = [Markup("<li>{}</li>").format(note) for note in list(finding.notes.values())[:MOST_NOTES]]
    listed = Markup('<ul class="notes small muted">{}</ul>').format(pieces.join(notes)) if notes else ""
    return Markup(
        '<div class="finding">{}<div><b>{}</b><div class="small muted">{}</div>{}</div><div class="acts">{}</div></div>'
    ).format(pieces.mark(mark), *said, listed, pieces.join(buttons))


def button(finding: Finding, key: str, label: str) -> Markup:
    """One button; its name for a screen reader says what it is about."""
    return Markup(
        '<button type="button" class="btn small" data-at="{}" data-check="{}" data-remedy="{}" aria-label="{}: {}">{}</button>'
    ).format(mark_of(finding), finding.check, key, label, finding.title, label)
