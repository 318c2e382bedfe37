"""How much of an adapter was used, as a picture: a strip for each kind of matrix, a square for each layer."""

from __future__ import annotations

from markupsafe import Markup

from studio.models.spectrum import Kind, ModuleSpectrum, Spectrum
from studio.ui import pieces
from studio.ui import words_model as words

PALEST = 0.12  # opacity of a square in which hardly a direction is in use


def picture(found: Spectrum) -> Markup:
    """The card's content: the sentence, the strips, what they mean, and the same in numbers."""
    said = sentence(found)
    heads = Markup('<div class="muted"><span></span><span></span><span class="num">{}</span></div>').format(words.SPECTRUM_IN_USE)
    strips = heads + pieces.join(strip(kind, found) for kind in found.kinds())
    notes = pieces.join(pieces.small(note) for note in found.notes)
    return Markup('{}<p class="reading">{}</p><div class="spectrum" role="img" aria-label="{}">{}</div>{}{}{}{}').format(
        pieces.head(words.SPECTRUM_TITLE, f"size {found.rank}, {pieces.count(len(found.modules), 'matrix', 'matrices')}"),
        said,
        f"{said} {words.SPECTRUM_LEGEND.format(rank=found.rank)}",
        strips,
        pieces.small(f"{words.SPECTRUM_LEGEND.format(rank=found.rank)} {words.SPECTRUM_LAYERS.capitalize()}."),
        pieces.small(f"{words.SPECTRUM_ENERGY} {words.SPECTRUM_RULE}"),
        notes,
        numbers(found),
    )


def sentence(found: Spectrum) -> str:
    """What the spectrum says of the size chosen."""
    return words.VERDICTS[found.verdict].format(needed=f"{found.needed:g}", rank=found.rank)


def strip(kind: Kind, found: Spectrum) -> Markup:
    """The squares of one kind of matrix, layer by layer."""
    mine = [module for module in found.modules if module.kind == kind.name]
    squares = pieces.join(square(at, module) for at, module in enumerate(mine))
    return Markup(
        '<div><span>{}</span><svg viewBox="0 0 {} 10" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
        '<span class="num">{:g}</span></div>'
    ).format(kind.name, 10 * len(mine), squares, kind.needed)


def square(at: int, module: ModuleSpectrum) -> Markup:
    """One matrix: the stronger its colour, the more of its directions are in use; empty where nothing was learned."""
    where = "" if module.layer is None else f"layer {module.layer + 1}, "
    shade = PALEST + (1 - PALEST) * module.share if module.needed else 0.0
    return Markup(
        '<rect x="{}" width="9" height="10" fill="var(--accent)" fill-opacity="{:.2f}"><title>{}{}: {} of {}</title></rect>'
    ).format(10 * at, shade, where, module.kind, module.needed, module.rank)


def numbers(found: Spectrum) -> Markup:
    """The table behind the picture."""
    rows = [
        (kind.name, str(kind.modules), f"{kind.needed:g} of {kind.rank}", f"{100 * kind.energy:.0f} %") for kind in found.kinds()
    ]
    made = pieces.table(
        ("Matrix", "How many", "Directions in use, median", "Share of all energy"),
        rows,
        classes=("first", "num", "num", "num"),
        caption=words.SPECTRUM_TITLE,
    )
    return Markup('<details class="quiet"><summary>{}</summary>{}</details>').format(words.SPECTRUM_NUMBERS, made)
