"""What the Data tab shows of rows: cards of samples, the file line, one example, how rows are shared out, the summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from markupsafe import Markup

from studio.records import Example, LeftOut
from studio.ui import pieces, words
from studio.workspace import gib

MOST_LISTED = 200  # left-out rows listed on the page; the rest are in left_out.jsonl of the data set
ENOUGH, GOOD = 10, 100
MEASURED_ROWS = 2000

SAMPLES_JS = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-sample]');
  if (button) trigger('select', {id: button.dataset.sample});
});
"""


def sample_cards(samples: Sequence[Mapping[str, Any]], to_fetch: int) -> Markup:
    """One button a sample, with an example of in and out and what a click fetches (bytes; 0: nothing)."""
    fetch = words.FETCHES.format(size=gib(to_fetch)) if to_fetch else ""
    cards = []
    for about in samples:
        example = about["example"]
        cards.append(
            Markup(
                '<button type="button" class="sample" data-sample="{}"><b>{}</b><span class="muted">{}</span>'
                '<q>{}</q><q>{}</q><span class="go">{}</span><span class="small muted">{}</span></button>'
            ).format(
                about["id"], about["title"], about["summary"], example["question"], example["answer"], words.USE_SAMPLE, fetch
            )
        )
    return Markup('<div class="samples">{}</div>').format(pieces.join(cards))


def file_line(name: str, more: str, rows: int, left_out: Sequence[LeftOut], total_left_out: int, notes: Sequence[str]) -> Markup:
    """The file's name, how it was read, how many rows count, and why the others do not."""
    read = ", ".join(part for part in (more, pieces.count(rows, "row") + " read") if part)
    why = Markup("")
    if total_left_out:
        why = Markup('<details class="why"><summary>{}: <span class="link">{}</span></summary>{}</details>').format(
            f"{total_left_out:,} left out", words.SEE_WHY.lower(), left_out_list(left_out, total_left_out)
        )
    told = pieces.join(Markup('<p class="small muted">{}</p>').format(note) for note in notes[:6])
    return Markup('<div class="fileline">{}<div><b>{}</b><p class="small muted">{}{}</p>{}{}</div></div>').format(
        pieces.icon("file"), name, read, "" if total_left_out else ", none left out", told, why
    )


def left_out_list(left_out: Sequence[LeftOut], total: int) -> Markup:
    """Row, reason and beginning of every row that is not used."""
    rows = [(f"{item.row:,}", item.reason, pieces.short(item.excerpt, 90)) for item in left_out[:MOST_LISTED]]
    listed = pieces.table(["Row", "Why", "It begins"], rows, classes=["first"], caption="Rows that are left out")
    more = total - len(rows)
    rest = pieces.small(f"And {more:,} more. They are all listed in left_out.jsonl of the saved data.") if more > 0 else ""
    return Markup('<div class="scroll" tabindex="0" role="region" aria-label="Rows that are left out">{}{}</div>').format(
        listed, rest
    )


def one_example(example: Example | None) -> Markup:
    """A row as chat bubbles, or its text."""
    if example is None:
        return pieces.small("There is no row to show.")
    if example.messages:
        return pieces.bubbles(example.messages)
    return Markup('<div class="chat"><div class="bubble plain">{}</div></div>').format(
        pieces.lines(pieces.short(example.text, 4000))
    )


def example_note(at: int, total: int, example: Example | None) -> str:
    """ "Row 12 of 144" and the line of the file it stands in."""
    if example is None:
        return ""
    line = f", line {example.source_row:,} of the file" if example.source_row and example.source_row != at + 1 else ""
    return f"Row {at + 1:,} of {total:,}{line}"


def token_legend(learned: int, cut_turns: int) -> Markup:
    """How many pieces are learned, and what the colours mean."""
    cut = f" {pieces.count(cut_turns, 'old exchange')} dropped so that it fits." if cut_turns else ""
    line = pieces.legend(
        [
            ("c-accent", pieces.count(learned, "piece") + " learned", "the answers and their ends"),
            ("", "", "Grey is read, not learned." + cut),
        ]
    )
    return line + pieces.small(words.PIECE)


def shares(counts: Mapping[str, int]) -> Markup:
    """A bar and numbers: rows to learn from, rows to check with, rows for the last test."""
    train, validation, test = (counts.get(name, 0) for name in ("train", "validation", "test"))
    whole = max(1, train + validation + test)
    said = f"{train} rows to learn from, {validation} to check while training" + (f", {test} for the last test" if test else "")
    parts = [(100 * train / whole, "c-accent"), (100 * validation / whole, "c-orange"), (100 * test / whole, "c-slate")]
    named = [
        ("c-accent", f"{train:,}", "to learn from"),
        ("c-orange", f"{validation:,}", "to check while training (validation)"),
        ("c-slate", f"{test:,}", "for the last test"),
    ]
    kept = [index for index, (share, _) in enumerate(parts) if share or index == 0]
    return pieces.bar(said, [parts[index] for index in kept]) + pieces.legend([named[index] for index in kept])


def summary(kind: str, examples: Sequence[Example], counts: Mapping[str, int], left_out: int, about: Mapping[str, Any]) -> Markup:
    """The card beside: what there is, and whether it is enough."""
    rows = sum(counts.values())
    facts = {"Rows ready": f"{rows:,}", "Kind": kind, "Middle length": middle_length(examples), **about}
    return Markup("<h2>Your data</h2><hr>{}<hr>{}").format(pieces.facts(facts), pieces.checks(verdicts(rows, counts, left_out)))


def middle_length(examples: Sequence[Example]) -> str:
    """The median length in words, of the first rows."""
    if not examples:
        return ""
    lengths = [len(text_of(example).split()) for example in examples[:MEASURED_ROWS]]
    return pieces.count(round(median(lengths)), "word")


def text_of(example: Example) -> str:
    """All words of a row."""
    return " ".join(message["content"] for message in example.messages) if example.messages else example.text


def verdicts(rows: int, counts: Mapping[str, int], left_out: int) -> list[tuple[str, str]]:
    """Marks for the summary."""
    found = []
    if not rows:
        found.append(("bad", "No row can be used as the columns are chosen"))
    elif rows < ENOUGH:
        found.append(("warn", f"{pieces.count(rows, 'row')} are few: ten show a first effect, a hundred are better"))
    elif rows < GOOD:
        found.append(("ok", "Enough rows to start; more will make it steadier"))
    else:
        found.append(("ok", "Enough rows to start"))
    if rows and not counts.get("validation"):
        found.append(("warn", "No row is kept aside, so nobody can see whether it only memorised"))
    if left_out:
        found.append(("info", f"{pieces.count(left_out, 'row')} left out, each with its reason"))
    return found
