"""Word documents and PDF.

Lines of a Word document: {"blocks": [[paragraph number, level, text], ...]} as `markup.py` has them. Lines of a PDF:
{"toc": [[level, title, page], ...]}, then for each page {"page": number, "lines": [[text, left, right, bottom, top], ...]} in
points, from the lower left corner.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from markup import TABLE
from output import fail, say, say_many

WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"  # the same text once more, for old programs
WRAPPERS = {f"{WORD}{name}" for name in ("sdt", "sdtContent", "customXml", "ins", "moveTo")}
MOST_CHARACTERS = 5_000_000  # of one page; real ones have some thousands
PARAGRAPH = 1  # the type of a style
WRONG_PASSWORD = 4  # FPDF_ERR_PASSWORD


def read_docx(path: str) -> None:
    """Print the blocks of a Word document."""
    from docx import Document  # noqa: PLC0415

    document = Document(path)
    styles = [style for style in document.styles if style.type == PARAGRAPH]
    levels = {style.style_id: level for style in styles if (level := first(style, style_level))}
    lists = {style.style_id for style in styles if first(style, is_numbered)}
    say_many({}, "blocks", word_blocks(document.element.body, levels, lists))


def first(style: Any, look: Callable[[Any], int]) -> int:
    """The first answer that is not 0 among a style and those it is based on."""
    for _ in range(10):
        if style is None or (found := look(style)):
            return found if style is not None else 0
        style = style.base_style
    return 0


def style_level(style: Any) -> int:
    """The level of a style's paragraphs as headings: a title stands above all, then heading 1 to 9; 0 for text."""
    name = (style.name or "").lower()
    if name == "title" or re.fullmatch(r"heading [1-9]", name):
        return 1 if name == "title" else 1 + int(name[-1])
    return outline_level(style.element)


def outline_level(element: Any) -> int:
    """The level that a style or a paragraph gives itself."""
    outline = element.find(f"{WORD}pPr/{WORD}outlineLvl")
    value = outline.get(f"{WORD}val", "") if outline is not None else ""
    return 2 + int(value) if re.fullmatch("[0-8]", value) else 0


def is_numbered(element: Any) -> bool:
    """Whether a style or a paragraph is the item of a list."""
    return getattr(element, "element", element).find(f"{WORD}pPr/{WORD}numPr") is not None


def word_blocks(body: Any, levels: dict[str, int], lists: set[str]) -> Iterator[tuple[int, int, Any]]:
    """Paragraphs and tables in their order, numbered together; items of a list stay together."""
    items: list[str] = []
    start = 0
    for number, element in enumerate(word_elements(body), start=1):
        table = element.tag == f"{WORD}tbl"
        text = "" if table else text_of(element)
        style = element.find(f"{WORD}pPr/{WORD}pStyle")
        name = style.get(f"{WORD}val", "") if style is not None else ""
        level = 0 if table else outline_level(element) or levels.get(name, 0)
        listed = bool(text) and not level and (name in lists or is_numbered(element))
        if items and not listed:
            yield start, 0, "\n".join(items)
            items = []
        if listed:
            start = start if items else number
            items.append(f"- {text}")
        elif text:
            yield number, level, " ".join(text.split()) if level else text
        elif table and (rows := table_rows(element)):
            yield number, TABLE, rows
    if items:
        yield start, 0, "\n".join(items)


def word_elements(body: Any) -> Iterator[Any]:
    """Paragraphs and tables, also those inside content controls and tracked insertions."""
    waiting = [iter(body)]
    while waiting:
        element = next(waiting[-1], None)
        if element is None:
            waiting.pop()
        elif element.tag in WRAPPERS:
            waiting.append(iter(element))
        elif element.tag in (f"{WORD}p", f"{WORD}tbl"):
            yield element


def text_of(element: Any) -> str:
    """The text in an element, with links, fields and tracked insertions, without what was deleted."""
    parts = []
    for node in element.iter(f"{WORD}t", f"{WORD}tab", f"{WORD}br", f"{WORD}cr", f"{WORD}noBreakHyphen"):
        if any(ancestor.tag == FALLBACK for ancestor in node.iterancestors()):
            continue
        name = node.tag[len(WORD) :]
        parts.append((node.text or "") if name == "t" else {"tab": "\t", "noBreakHyphen": "-"}.get(name, "\n"))
    return "".join(parts).strip()


def table_rows(table: Any) -> list[list[str]]:
    """The cells of a table that has any text; a cell over several columns or rows counts as one with empty ones beside it."""
    rows = []
    for row in table.iter(f"{WORD}tr"):
        cells = []
        for cell in row.iterchildren(f"{WORD}tc", *WRAPPERS):
            span = cell.find(f"{WORD}tcPr/{WORD}gridSpan")
            wide = span.get(f"{WORD}val", "1") if span is not None else "1"
            text = "\n".join(filter(None, map(text_of, cell.iter(f"{WORD}p"))))
            cells += [text] + [""] * (min(int(wide), 100) - 1 if wide.isdigit() else 0)
        if any(cells):
            rows.append(cells)
    return rows


def read_pdf(path: str) -> None:
    """Print the lines of a PDF, page by page."""
    import pypdfium2 as pdfium  # noqa: PLC0415

    try:
        document = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        fail("password" if error.err_code == WRONG_PASSWORD else "damaged")
    contents = []
    for mark in document.get_toc(max_depth=6):
        target = mark.get_dest()
        contents.append((mark.level + 1, mark.get_title(), (target.get_index() or 0) + 1 if target else 0))
    say({"toc": contents[:10_000]})
    for index in range(len(document)):
        page = document[index]
        say({"page": index + 1, "lines": list(page_lines(page.get_textpage()))})
        page.close()


def page_lines(text: Any) -> Iterator[tuple[str, float, float, float, float]]:
    """The lines of a page in the order it has them, each as high as its letters are."""
    from pypdfium2 import raw  # noqa: PLC0415

    count = min(text.count_chars(), MOST_CHARACTERS)
    signs: list[str] = []
    shown: list[int] = []
    for index in range(count + 1):
        code = raw.FPDFText_GetUnicode(text, index) if index < count else 10
        if code not in (10, 13):
            signs.append(sign_of(code))
            if code > 32:
                shown.append(index)
            continue
        if shown:
            left, bottom, _, top = text.get_charbox(shown[0], loose=True)
            right = text.get_charbox(shown[-1], loose=True)[2]
            yield "".join(signs).strip(), *(round(value, 1) for value in (left, right, bottom, top))
        signs.clear()
        shown.clear()


def sign_of(code: int) -> str:
    """The character of a code; the end of a line that cuts a word is a hyphen."""
    if code in (2, 0xFFFE, 0xAD):
        return "\xad"
    return chr(code) if 32 <= code <= 0x10FFFF and not 0xD800 <= code < 0xE000 else " "
