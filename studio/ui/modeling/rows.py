"""Models as radio rows: name, summary, licence, and whether each fits this computer and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from studio.models.catalog import ModelEntry
from studio.models.memory import Estimate
from studio.ui import pieces, words_hub
from studio.workspace import gib

FITS = {"well": ("fits well", "good", "c-accent"), "tight": ("tight", "warn", "c-warn"), "no": ("too big", "bad", "c-red")}

# A click, not a change: what failed can be chosen again. The list is drawn anew when the estimate changes; whoever was in it
# with the keyboard stays where they were.
ROWS_JS = """
element.addEventListener('click', (event) => {
  if (event.target.matches('input[type=radio]')) trigger('select', {id: event.target.value});
});
let inside = '';
element.addEventListener('focusin', (event) => { inside = event.target.value || ''; });
element.addEventListener('focusout', () => {
  setTimeout(() => { if (document.activeElement !== document.body) inside = ''; }, 0);
});
watch('value', () => {
  if (!inside) return;
  const radio = [...element.querySelectorAll('input[type=radio]')].find((item) => item.value === inside);
  if (radio) radio.focus();
});
"""


@dataclass(frozen=True)
class Row:
    """One model to pick. `key` is what picking it sends; `where` says what it takes to have it; `why` says whether it fits."""

    key: str
    title: str
    summary: str
    licence: str
    where: str = ""
    why: str = ""
    fits: str = ""
    share: float = 0.0
    tag: str = ""
    off: bool = False


def row_of(entry: ModelEntry, estimate: Estimate | None, free: int, why: str = "") -> Row:
    """The row of a model that the catalogue knows."""
    where = words_hub.NOT_YET.format(size=gib(entry.download_bytes)) if entry.download_bytes else ""
    if entry.ready and entry.origin != "local":
        where = words_hub.HERE_ALREADY
    return Row(
        key=entry.id,
        title=entry.title,
        summary=entry.summary,
        licence=entry.licence or "licence unknown",
        where=where,
        why=why,
        fits=estimate.fits if estimate and not entry.trouble else "",
        share=min(100.0, 100 * estimate.needed_bytes / max(1, free)) if estimate else 0.0,
        tag="not usable" if entry.trouble else "",
        off=bool(entry.trouble),
    )


def radio_rows(rows: Iterable[Row], chosen: str, legend: str, group: str) -> Markup:
    """The rows as one group of radio buttons; `group` is its name in the page."""
    made = [radio_row(row, chosen, group) for row in rows]
    return Markup('<fieldset class="models"><legend class="sr">{}</legend>{}</fieldset>').format(legend, pieces.join(made))


def radio_row(row: Row, chosen: str, group: str) -> Markup:
    """One of them."""
    fit = Markup("")
    if row.tag:
        fit = Markup('<span class="fit"><span>{}</span></span>').format(pieces.tag(row.tag, "bad" if row.off else "warn"))
    elif row.fits:
        word, kind, colour = FITS[row.fits]
        fit = Markup('<span class="fit"><span>{}</span>{}</span>').format(
            pieces.tag(word, kind),
            pieces.bar(f"needs {row.share:.0f} percent of the free memory", [(row.share, colour)], thin=True),
        )
    told = pieces.join([sentence(part) for part in (row.summary, row.where, row.why) if part], " ")
    return Markup(
        '<label class="model"><input type="radio" name="{}" value="{}"{}{}><span><b>{}</b><br>'
        '<span class="small muted">{}</span></span><span class="lic small muted">{}</span>{}</label>'
    ).format(
        group,
        row.key,
        Markup(" checked") if row.key == chosen else "",
        Markup(" disabled") if row.off else "",
        row.title,
        told,
        row.licence,
        fit,
    )


def sentence(text: str) -> str:
    """Text that begins with a capital and ends with a full stop."""
    text = text.strip()
    return text if not text else text[0].upper() + text[1:] + ("" if text[-1] in ".!?…" else ".")
