"""HTML as plain text: blocks become lines, scripts and quoted mails are passed over."""

from __future__ import annotations

import re
from html.parser import HTMLParser

BLOCKS = {"p", "div", "br", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "pre"}
HIDDEN = {"script", "style", "head", "title", "blockquote"}  # mail programs quote in a blockquote


class Text(HTMLParser):
    """Gathers the words of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.hidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line, or something that is passed over."""
        if tag in HIDDEN:
            self.hidden.append(tag)
        elif tag in BLOCKS:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """End a paragraph, or something that was passed over."""
        if tag in self.hidden:
            del self.hidden[self.hidden.index(tag) :]
        elif tag in ("p", "div"):
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        """Words."""
        if not self.hidden:
            self.pieces.append(re.sub(r"\s+", " ", data))


def text_of_html(page: str) -> str:
    """The words of an HTML page, a line for each block."""
    parser = Text()
    parser.feed(page)
    parser.close()
    lines = (line.strip() for line in "".join(parser.pieces).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
