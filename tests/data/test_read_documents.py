"""Word, PDF, Markdown and HTML: passages under their headings, in order, with the place they stand at."""

from __future__ import annotations

from pathlib import Path

import pytest
from docx import Document
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from studio.data.convert import convert
from studio.data.detect import detect
from studio.data.read import read
from studio.data.readers import documents, guarded
from studio.data.readers.reading import Reading
from tests.data.files import write
from tests.data.papers import pdf


def told(found: Reading) -> list[tuple[int, str, str]]:
    """Number, heading and text of each row."""
    rows = [(number, row["heading"], row["text"]) for number, row in zip(found.row_numbers, found.rows, strict=True)]
    assert found.columns == ("text", "heading") and found.is_document
    assert detect(found).columns == {"text": "text"} and len(convert(found, detect(found)).examples) == len(rows)
    return rows


def test_word_paragraphs_headings_lists_and_tables(tmp_path: Path) -> None:
    document = Document()
    document.add_paragraph("Handbook", style="Title")
    document.add_paragraph("Welcome to all.")
    document.add_heading("Opening\ntimes", 1)
    document.add_paragraph("We open at six.")
    document.add_paragraph("Monday", style="List Bullet")
    document.add_paragraph("Friday", style="List Bullet")
    document.add_heading("On Sundays", 2)
    table = document.add_table(2, 2)
    for cell, text in zip([*table.rows[0].cells, *table.rows[1].cells], ["Door", "Time", "Front", "Seven"], strict=True):
        cell.text = text
    document.add_heading("Nothing here", 1)
    document.save(tmp_path / "a.docx")
    assert told(read(tmp_path / "a.docx")) == [
        (2, "Handbook", "Welcome to all."),
        (4, "Handbook > Opening times", "We open at six.\n\n- Monday\n- Friday"),
        (8, "Handbook > Opening times > On Sundays", "Door | Time\nFront | Seven"),
        (9, "Handbook", "Nothing here"),
    ]


def test_word_text_in_links_fields_insertions_and_controls_is_read_and_deleted_text_is_not(tmp_path: Path) -> None:
    document = Document()
    space = nsdecls("w")
    inside = "<w:r><w:t>{}</w:t></w:r>"
    document.element.body.insert(
        0,
        parse_xml(
            f"<w:p {space}><w:hyperlink>{inside.format('link ')}</w:hyperlink><w:ins>{inside.format('new ')}</w:ins>"
            f"<w:del><w:r><w:delText>old</w:delText></w:r></w:del><w:fldSimple>{inside.format('field')}</w:fldSimple></w:p>"
        ),
    )
    document.element.body.insert(
        1, parse_xml(f"<w:sdt {space}><w:sdtContent><w:p>{inside.format('control')}</w:p></w:sdtContent></w:sdt>")
    )
    outline = f'<w:p {space}><w:pPr><w:outlineLvl w:val="0"/></w:pPr>{inside.format("Own heading")}</w:p>'
    document.element.body.insert(1, parse_xml(outline))
    document.save(tmp_path / "a.docx")
    assert told(read(tmp_path / "a.docx")) == [(1, "", "link new field"), (3, "Own heading", "control")]


def test_questions_and_answers_in_a_table_of_a_document_are_rows(tmp_path: Path) -> None:
    document = Document()
    document.add_paragraph("Our questions")
    for pairs in ((("A?", "1."), ("B?", "")), (("C?", "3."),)):
        table = document.add_table(1 + len(pairs), 2)
        for row, cells in zip(table.rows, (("Question", "Answer"), *pairs), strict=True):
            for cell, text in zip(row.cells, cells, strict=True):
                cell.text = text
        document.add_paragraph("")
    document.save(tmp_path / "a.docx")
    found = read(tmp_path / "a.docx")
    assert found.rows == [
        {"Question": "A?", "Answer": "1."},
        {"Question": "B?", "Answer": ""},
        {"Question": "C?", "Answer": "3."},
    ]
    assert found.notes == ("Its table was read. The 1 other paragraphs were not.",) and not found.is_document
    assert len(convert(found, detect(found)).examples) == 2
    page = "<table><tr><th>question<th>answer<tr><td>A?<td>1.<tr><td>B?<td>2.</table>"
    assert read(write(tmp_path, "a.html", page)).rows[1] == {"question": "B?", "answer": "2."}


def test_pdf_pages_paragraphs_and_headings_by_their_letters(tmp_path: Path) -> None:
    long = "A line of words that is as wide as the page allows it to be and goes on in the next one, which is"
    first = [(70, 780, 20, "Guide"), (70, 740, 10, long), (70, 728, 10, "short."), (70, 690, 10, "Another para-")]
    first += [(70, 678, 10, "graph that ends here."), (70, 640, 14, "Chapter"), (70, 610, 10, long + " it")]
    second = [(70, 780, 10, "continued on the second page."), (70, 740, 10, "Name: Ada"), (70, 728, 10, "Town: Here")]
    found = read(pdf(tmp_path / "a.pdf", [first, second]))
    assert told(found) == [
        (1, "Guide", f"{long} short.\n\nAnother paragraph that ends here."),
        (1, "Guide > Chapter", f"{long} it continued on the second page.\n\nName: Ada\nTown: Here"),
    ]


def test_pdf_headings_by_its_contents_list_lines_that_come_again_and_pages_without_text(tmp_path: Path) -> None:
    pages = [
        [(70, 800, 8, "Our handbook"), (70, 700, 10, title), (70, 660, 10, f"Text of {title}."), (70, 20, 8, f"Page {number}")]
        for number, title in enumerate(("One", "Two", "Three"), start=9)
    ]
    found = read(pdf(tmp_path / "a.pdf", [*pages, []], contents=[("One", 0), ("Two", 1), ("Unseen", 2)]))
    assert told(found) == [
        (1, "One", "Text of One."),
        (2, "Two", "Text of Two."),
        (3, "Unseen", "Three\n\nText of Three."),
    ]
    assert "1 of 4 pages hold no text that can be read: 4." in found.notes
    assert any("come again on most pages" in note for note in found.notes)


def test_markdown_headings_front_matter_code_and_html(tmp_path: Path) -> None:
    text = (
        "---\ntitle: Hidden\ntags:\n  - x\n---\n\nBefore all.\n\n# The **big** [one](http://x.y) {#big}\n\n"
        "Some *words*\nand more.\n\n- a\n- b\n\n```python\n# no heading\n```\n\nSecond\n------\n\n<aside class='x'>\n"
        "<img src='a.png'>\nAside text.\n<script>bad()</script>\n</aside>\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    )
    found = read(write(tmp_path, "a.md", text))
    assert told(found) == [
        (7, "", "Before all."),
        (11, "The big one", "Some *words*\nand more.\n\n- a\n- b\n\n```python\n# no heading\n```"),
        (24, "The big one > Second", "Aside text.\n\n| a | b |\n|---|---|\n| 1 | 2 |"),
    ]
    assert told(read(write(tmp_path, "a.md", "---\n\nA rule is no front matter.\n\n---\n")))[0][2].startswith("A rule")


def test_html_text_headings_and_answers_without_scripts_styles_and_menus(tmp_path: Path) -> None:
    page = """<!doctype html><html><head><title>Not this</title><style>p {}</style><script>var a = "<p>no</p>";</script></head>
<body onload="alert(1)"><nav><a href="/">Menu</a></nav><h1>Shop &amp; <em>more</em></h1>
<p>First   line<br>second <b>bold</b>.</p><ul><li>one<li>two</ul>
<details><summary>When?</summary>At six.</details><p>After.</p><pre>  kept
   as is</pre><table><tr><td>a<td>b</tr></table><svg><text>no</text></svg><template>no</template></body></html>"""
    assert told(read(write(tmp_path, "a.html", page))) == [
        (2, "Shop & more", "First line\nsecond bold.\n\n- one\n- two"),
        (5, "Shop & more > When?", "At six."),
        (7, "Shop & more", "After.\n\n  kept\n   as is\n\na | b"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "shift_jis", "cp1251", "utf-16"])
def test_web_pages_say_their_encoding(tmp_path: Path, encoding: str) -> None:
    said = "Что это? Да." if encoding == "cp1251" else "開店は何時ですか"
    page = f'<html><head><meta charset="{encoding}"></head><p>{said}</p>'
    assert told(read(write(tmp_path, "a.htm", page.encode(encoding))))[0][2] == said


@pytest.mark.parametrize("kind", ["markdown", "html"])
def test_long_texts_are_parsed_in_the_child_and_come_out_the_same(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = {"markdown": "# Über {}\n\n", "html": "<h1>Über {}</h1>\n\n"}[kind]
    text = "".join(head.format(number) + "Wörter ohne Ende. " * 20 + "\n\n" for number in range(40))
    path = write(tmp_path, "a.md" if kind == "markdown" else "a.html", text.encode("cp1252"))
    asked = []
    lines = guarded.lines
    monkeypatch.setattr(guarded, "lines", lambda *given: asked.append(given) or lines(*given))
    here = read(path)
    monkeypatch.setattr(documents, "SHORT", 0)
    there = read(path)
    assert here == there and len(asked) == 1 and len(here.rows) == 40 and here.rows[3]["heading"] == "Über 3"
