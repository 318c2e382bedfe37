"""HTML as plain text: blocks become lines, scripts and quoted mails are passed over.

The standard library's parser takes time that grows with the square of the length for text such as "<a <a <a", and mails
come from strangers; so tags are found by a bounded pattern.
"""

from __future__ import annotations

import re
from html import unescape

TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,15})(?:[\s/][^<>]{0,5000})?>")
BLOCKS = {"p", "div", "br", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "pre"}
HIDDEN = {"script", "style", "head", "title", "blockquote"}  # mail programs quote in a blockquote


def text_of_html(page: str) -> str:
    """The words of an HTML page, a line for each block."""
    first, *others = page.split("<!--")
    page = first + "".join(other.partition("-->")[2] for other in others)
    pieces: list[str] = []
    hidden = 0
    end = 0
    for tag in TAG.finditer(page):
        if not hidden:
            pieces.append(words_of(page[end : tag.start()]))
        end = tag.end()
        closing, name = tag.group(1), tag.group(2).lower()
        if name in HIDDEN:
            hidden = max(0, hidden - 1) if closing else hidden + 1
        elif name in BLOCKS and not hidden:
            pieces.append("\n")
    if not hidden:
        pieces.append(words_of(page[end:]))
    lines = (line.strip() for line in "".join(pieces).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def words_of(text: str) -> str:
    """Text between tags, where lines and runs of spaces mean nothing."""
    return re.sub(r"\s+", " ", unescape(text))
