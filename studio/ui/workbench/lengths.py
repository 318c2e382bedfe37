"""Pictures of what the rows can teach: whether they suffice, how many there are of each category, and how long they are."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from studio.checkup import Learning
from studio.data.learning import Lengths
from studio.ui import pieces
from studio.ui import words as words_page
from studio.ui import words_data as words

MOST_LABELS = 12


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
