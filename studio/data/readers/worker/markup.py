"""Markdown and HTML, as blocks in their order: (line or number, level, text) with level 0 for text, 1 to 7 for headings.

An empty heading ends those of its level. At the level TABLE, a list of rows of cells stands in place of the text. The app itself
uses this module, too, for texts that are short; so it imports nothing from beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Block = tuple[int, int, Any]
TABLE = -1

DROPPED = {"script", "style", "template", "noscript", "svg", "title", "nav", "iframe", "object", "select", "button"}
INLINE_TAGS = (
    "a abbr b bdi bdo big cite code data del dfn em font i img input ins kbd label mark q rb rp rt ruby s samp small span strike "
    "strong sub sup time tt u var wbr"
)
INLINE = frozenset(INLINE_TAGS.split())
QUESTION = 7  # level of what stands above an answer that can be unfolded, and of a term above what it means
HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6, "summary": QUESTION, "dt": QUESTION}
LONGEST_LIST = 4000  # characters; the items of longer lists become blocks of their own
FRONT_MATTER = re.compile(r"---[ \t]*\n(?:.{0,1000}\n){1,200}?(?:---|\.\.\.)[ \t]*(?:\n|$)")


def blocks(kind: str, text: str) -> Iterator[Block]:
    """The blocks of a text of kind markdown or html."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").removeprefix("\ufeff")
    return markdown(text) if kind == "markdown" else iter(web_page(text))


def web_page(text: str) -> list[Block]:
    """Blocks of HTML by their number, without scripts, styles and menus."""
    from lxml import etree  # noqa: PLC0415

    page = Page()
    try:
        etree.fromstring(text.encode("utf-8", "replace"), etree.HTMLParser(target=page, encoding="utf-8"))
    except etree.XMLSyntaxError:  # it holds nothing but comments, or nothing
        page.close()
    return page.blocks


def markdown(text: str) -> Iterator[Block]:
    """Blocks of Markdown as they are written, without the front matter; HTML between them is read as HTML."""
    from markdown_it import MarkdownIt  # noqa: PLC0415

    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.disable(["inline", "text_join"])
    first = 0
    if (front := FRONT_MATTER.match(text)) and ":" in front[0]:
        first, text = front[0].count("\n"), text[front.end() :]
    lines = text.split("\n")
    tokens = parser.parse(text)
    for index, token in enumerate(tokens):
        if token.level or not token.map or token.type.endswith("_close"):
            continue
        start, end = token.map
        number = first + start + 1
        if token.type == "heading_open":
            yield number, int(token.tag[1]), plain(tokens[index + 1].content)
        elif token.type == "html_block":
            yield from ((number, *rest) for _, *rest in web_page("\n".join(lines[start:end])))
        elif token.type != "hr":
            yield number, 0, "\n".join(lines[start:end]).strip("\n")


def plain(heading: str) -> str:
    """A heading without its Markdown signs and its anchor."""
    heading = re.sub(r"[ \t]{0,9}\{[#:.][^{}]{0,100}\}[ \t]{0,9}$", "", heading)
    heading = re.sub(r"!?\[([^\[\]]{0,200})\]\([^()]{0,500}\)", r"\1", heading)
    return re.sub(r"(\*\*|__|\*|`)(?=\S)(.{1,200}?)(?<=\S)\1", r"\2", heading)


class Page:
    """Gathers the text of a page into blocks, told by lxml of each tag and text. Without a tree depth costs nothing."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.text: list[str] = []
        self.level = 0
        self.dropped: list[str] = []
        self.pre = 0
        self.rows: list[list[str]] | None = None

    def start(self, tag: str, _: Any) -> None:
        """Begin a block, a cell or what is left out."""
        if self.dropped or tag in DROPPED:
            if tag in DROPPED and (not self.dropped or self.dropped[-1] == tag):
                self.dropped.append(tag)
            return
        if tag == "br":
            self.text.append("\n")
        elif tag not in INLINE:
            self.begin(tag)

    def begin(self, tag: str) -> None:
        """Begin a block element."""
        if self.rows is not None:
            if tag in ("tr", "td", "th"):
                self.end_cell()
            if tag == "tr":
                self.rows.append([])
            elif tag in ("td", "th"):
                if not self.rows:
                    self.rows.append([])
                self.rows[-1].append("")
            else:
                self.text.append("\n")
            return
        self.end_block()
        self.level = HEADINGS.get(tag, 0)
        self.pre += tag == "pre"
        if tag == "li":
            self.text.append("- ")
        elif tag == "table":
            self.rows = []

    def end(self, tag: str) -> None:
        """End a block, a cell or what is left out."""
        if self.dropped:
            if self.dropped[-1] == tag:
                self.dropped.pop()
            return
        if tag in INLINE or tag == "br":
            return
        if self.rows is not None:
            if tag in ("td", "th", "tr", "table"):
                self.end_cell()
            if tag == "table":
                self.end_table()
            return
        self.end_block()
        self.level = 0
        self.pre -= tag == "pre" and self.pre > 0
        if tag in ("dl", "details"):
            self.keep(QUESTION, "")

    def data(self, data: str) -> None:
        """Gather text."""
        if self.dropped:
            return
        self.text.append(data if self.pre else re.sub(r"\s+", " ", data))

    def close(self) -> None:
        """Read what is left."""
        if self.rows is not None:
            self.end_cell()
            self.end_table()
        self.end_block()

    def taken(self) -> str:
        """The text gathered so far, which begins anew."""
        text = "".join(self.text)
        self.text.clear()
        return text.strip("\n") if self.pre else "\n".join(line.strip() for line in text.split("\n")).strip()

    def end_block(self) -> None:
        """Keep the text as a block; items of a list stay together."""
        text = self.taken()
        if not text or text == "-":
            return
        first, level, before = self.blocks[-1] if self.blocks else (0, 0, "")
        items = self.level == level == 0 and text.startswith("- ") and before.startswith("- ")
        if items and len(before) < LONGEST_LIST:
            self.blocks[-1] = (first, 0, f"{before}\n{text}")
        else:
            self.keep(self.level, " ".join(text.split()) if self.level else text)

    def keep(self, level: int, content: Any) -> None:
        """Add a block."""
        self.blocks.append((len(self.blocks) + 1, level, content))

    def end_cell(self) -> None:
        """Put the text into the cell that is open."""
        text = self.taken()
        if text and self.rows and self.rows[-1]:
            self.rows[-1][-1] = f"{self.rows[-1][-1]} {text}".strip()
        elif text:
            self.keep(0, text)  # a caption, or text in the wrong place

    def end_table(self) -> None:
        """Keep the rows that are not empty."""
        if rows := [row for row in self.rows or () if any(row)]:
            self.keep(TABLE, rows)
        self.rows = None
