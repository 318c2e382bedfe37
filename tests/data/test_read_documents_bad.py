"""Word, PDF, Markdown and HTML files that are hostile, locked or too large: a sentence each, within seconds."""

from __future__ import annotations

import time
import zipfile
import zlib
from pathlib import Path

import pytest
from docx import Document
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.data.detect import detect
from studio.data.read import read
from studio.data.readers import documents, guarded
from studio.errors import StudioError
from tests.data.files import SECONDS, TABLE, write
from tests.data.papers import pdf, put_together, with_member

pytestmark = pytest.mark.long


def test_scans_and_locked_papers_have_sentences_of_their_own(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="pictures without text, as scans are"):
        read(pdf(tmp_path / "scan.pdf", [[], []]))
    page = [(70, 700, 10, "Secret text.")]
    assert read(pdf(tmp_path / "open.pdf", [page])).rows[0]["text"] == "Secret text."
    with pytest.raises(StudioError, match="protected with a password"):
        read(pdf(tmp_path / "locked.pdf", [page], password="handbook"))


def test_an_office_file_with_another_ones_ending_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.docx", "w") as package:
        package.writestr("../../evil.csv", TABLE)
    with pytest.raises(StudioError, match="ZIP archive, not a Word document"):
        read(tmp_path / "a.docx")
    Document().save(tmp_path / "b.docx")
    with pytest.raises(StudioError, match="holds no text"):
        read(tmp_path / "b.docx")
    (tmp_path / "c.xlsx").write_bytes((tmp_path / "b.docx").read_bytes())
    with pytest.raises(StudioError, match="not an Excel workbook"):
        read(tmp_path / "c.xlsx")


SPACE = b'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
LAUGHS = b"<!DOCTYPE x [<!ENTITY a0 'ha'>" + b"".join(
    b"<!ENTITY a%d '%s'>" % (level, b"&a%d;" % (level - 1) * 10) for level in range(1, 12)
)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<w:p><w:r><w:t>x</w:t></w:r></w:p>" * 1_500_000, "unfolds to"),
        (b"not XML", "damaged"),
        (b"<w:tbl>" * 5000 + b"</w:tbl>" * 5000, "damaged|no text|memory"),
    ],
    ids=["bomb", "broken", "deep"],
)
def test_word_bombs_are_stopped(tmp_path: Path, body: bytes, why: str) -> None:
    Document().save(tmp_path / "plain.docx")
    document = b"<w:document %s><w:body>%s</w:body></w:document>" % (SPACE, body) if b"<" in body else body
    path = with_member(tmp_path / "a.docx", tmp_path / "plain.docx", "word/document.xml", document)
    start = time.perf_counter()
    with pytest.raises(StudioError, match=why):
        read(path)
    assert time.perf_counter() - start < SECONDS


def test_entities_and_outside_files_are_not_followed(tmp_path: Path) -> None:
    Document().save(tmp_path / "plain.docx")
    secret = write(tmp_path, "secret.txt", "canary")
    for kind in (LAUGHS + b"]>", b"<!DOCTYPE x [<!ENTITY a11 SYSTEM '%s'>]>" % secret.as_uri().encode()):
        text = b"<w:p><w:r><w:t>Here: &a11;</w:t></w:r></w:p>"
        document = b"%s<w:document %s><w:body>%s</w:body></w:document>" % (kind, SPACE, text)
        path = with_member(tmp_path / "a.docx", tmp_path / "plain.docx", "word/document.xml", document)
        start = time.perf_counter()
        try:
            assert read(path).rows == [{"text": "Here:", "heading": ""}]
        except StudioError as error:
            assert "damaged" in error.why
        assert time.perf_counter() - start < SECONDS


def test_pdf_bombs_are_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "MEMORY", 400 * 2**20)  # the real limits take longer to reach
    monkeypatch.setattr(guarded, "SECONDS", 5)
    packed = zlib.compress(b"0 0 Td (x) Tj " * 60_000_000, 1)  # 840 MB
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>",
        4: b"<< /Filter /FlateDecode /Length %d >>\nstream\n" % len(packed) + packed + b"\nendstream",
    }
    start = time.perf_counter()
    with pytest.raises(StudioError, match="memory or time|without text|damaged"):
        read(put_together(tmp_path / "a.pdf", objects, b""))
    loop = {**objects, 2: b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 1000000000 >>"}
    with pytest.raises(StudioError, match="memory or time|without text|damaged"):
        read(put_together(tmp_path / "b.pdf", loop, b""))
    assert time.perf_counter() - start < 2 * SECONDS


@pytest.mark.parametrize(
    "text",
    [
        "<div>" * 100_000 + "deep",
        "<table><tr><td>" * 20_000 + "deep",
        "<ul>" + "<li>deep" * 100_000,
        "<!--" * 50_000 + "deep",
        "<a " * 50_000,
        "&" * 200_000 + "deep",
        ">" * 100_000 + " deep",
        "- " * 50_000 + "deep",
        "# " * 50_000 + "deep",
        "[" * 100_000 + "deep",
        "*" * 100_000 + "deep",
        "---\n" * 20_000 + "deep",
        "---\n" + "a: b\n" * 300 + "deep",
        "|a" * 20_000 + "\n" + "|-" * 20_000 + "\ndeep",
        "# {" + "#" * 100_000,
    ],
    ids=lambda text: text[:12],
)
@pytest.mark.parametrize("suffix", [".md", ".html"])
def test_odd_markup_is_read_or_refused_in_time(tmp_path: Path, text: str, suffix: str) -> None:
    for size in (len(text), documents.SHORT):
        start = time.perf_counter()
        try:
            assert read(write(tmp_path, f"a{suffix}", text[:size])).columns == ("text", "heading")
        except StudioError as error:
            assert error.why and error.fix
        assert time.perf_counter() - start < SECONDS


def test_depth_loses_no_text(tmp_path: Path) -> None:
    text = "<p>before</p>" + "<div>" * 3000 + "deep" + "</div>" * 3000 + "<p>after</p>"
    assert read(write(tmp_path, "a.html", text)).rows == [{"text": "before\n\ndeep\n\nafter", "heading": ""}]


def test_a_document_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_MARKUP", 100)
    for name in ("a.md", "a.html"):
        with pytest.raises(StudioError, match="more than 100 characters"):
            read(write(tmp_path, name, "word " * 30))


@pytest.mark.parametrize("suffix", [".md", ".html"])
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.sampled_from("<>/!-[]#*`|&;\"'=\\ \n\tabtdrliphx?\u00e9\u754c\ud83d"), min_size=1, max_size=120))
def test_any_markup_is_read_or_refused(tmp_path: Path, suffix: str, text: str) -> None:
    path = write(tmp_path, f"a{suffix}", text.encode("utf-8", "ignore") or b"x")
    try:
        found = read(path)
        if found.is_document:
            assert detect(found).format == "text" and all(row["text"].strip() for row in found.rows)
    except StudioError as error:
        assert error.what and error.why and error.fix
