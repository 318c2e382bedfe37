"""Large files, read in pieces: the rows and refusals of memory, an end when asked, and no more memory for more rows."""

from __future__ import annotations

import codecs
import json
import time
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.data import convert as converting
from studio.data import read as reading_files
from studio.data.convert import convert
from studio.data.detect import detect
from studio.data.read import read
from studio.data.readers import columnar, encoding, reading, streamed_lines, streamed_table
from studio.data.readers.reading import Reading
from studio.data.readers.streamed import reopened
from studio.data.spill import Room, Spilled, Telling
from studio.errors import Stopped, StudioError
from tests.data.files import SECONDS, write
from tests.data.shared import SHARED, needs_shared
from tests.data.test_read_bad import BAD

STREAMED = (".csv", ".ssv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson", ".parquet")
PAIRS = [{"question": f"Where is {n}?", "answer": f"Here – {n}."} for n in range(200)]
LINES = "".join(json.dumps(pair, ensure_ascii=False) + "\n" for pair in PAIRS)


@pytest.fixture(autouse=True)
def every_file_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_files, "LARGE", 0)
    monkeypatch.setattr(columnar, "MOST_IN_MEMORY", 0)
    for module in (streamed_lines, streamed_table, converting):
        monkeypatch.setattr(module, "BATCH", 7)


def both(folder: Path, name: str, content: str | bytes, **how: object) -> tuple[Reading, Reading]:
    """The same file read in memory and in pieces."""
    path = write(folder, name, content)
    return read(path, **how), read(path, **how, room=Room(folder / f"room-{time.monotonic_ns()}", Telling()))


def alike(plain: Reading, found: Reading) -> None:
    assert found.summary() == plain.summary()
    assert list(found.rows) == list(plain.rows)
    assert list(found.row_numbers) == list(plain.row_numbers)
    assert list(found.left_out) == list(plain.left_out)


ODD: dict[str, str | bytes] = {
    "plain.jsonl": LINES,
    "broken.jsonl": LINES + '{"question": "cut\n' + LINES + "\n\n[1]\n7\n",
    "wide.jsonl": LINES + '{"question": "A?", "a  b": 1, "a b": [{"x": null}], "n": 1e400, "big": 12345678901234567890123}\n',
    "twice.jsonl": LINES + '{"question": "A?", "question": "B?", "answer": "C."}\n',
    "nan.jsonl": LINES + '{"question": NaN, "answer": "\\ud800"}\n',
    "turns.jsonl": "".join(
        json.dumps([{"role": "user", "content": f"{n}"}, {"role": "assistant", "content": "x"}]) + "\n" for n in range(30)
    ),
    "nested.jsonl": "".join(json.dumps({"data": [{"text": f"{n} "}, {"text": "b", "entity": "e"}]}) + "\n" for n in range(40)),
    "seeds.jsonl": "".join(
        json.dumps({"instruction": "x", "instances": [{"input": "", "output": f"{n}"}] * 2}) + "\n" for n in range(25)
    ),
    "bom.jsonl": codecs.BOM_UTF8 + LINES.encode(),
    "wide16.jsonl": LINES.encode("utf-16"),
    "damaged.jsonl": LINES.replace("–", "ü").encode() + b'{"question": "\xff?", "answer": "x"}\n',
    "old.jsonl": LINES.encode("cp1252"),
    "windows.jsonl": LINES.replace("\n", "\r\n"),
    "plain.csv": "question,answer\n" + "".join(f"Where is {n}?,Here – {n}.\n" for n in range(50)),
    "ragged.csv": "question,answer\n"
    + "a?,b\n" * 30
    + "one\n"
    + "a,b,c\n"
    + "a,b,,\n"
    + '"x\ny?","z ""q"""\n'
    + "\n\n"
    + "NUL\x00,b\n",
    "title.csv": "My table;;\n;;\nQuestion;Answer;Note\n" + "Why?;So.;x\n" * 40 + "\nIn all: 40;;\n",
    "bare.csv": "".join(f"What is {n}?,It is number {n} of all of them.\n" for n in range(30)),
    "guarded.csv": "question,answer\n" + "a?,'=1+1\n" + "b?,c\n" * 20,
    "formula.csv": "question,answer\n" + "a?,'=1+1\n" + "b?,c\n" * 20 + "d?,=2\n",
    "quotes.tsv": "question\tanswer\n" + 'He said "no?\t5" wide\n' * 20,
    "open.tsv": "question\tanswer\n" + "a?\tb\n" * 20 + '"never?\tclosed\n' + "a?\tb\n" * 20,
    "narrow.csv": "question,answer,\n" + "a?,b\n" * 20,
    "old-mac.csv": "question,answer\r" + "a?,b\r" * 20,
}


@pytest.mark.parametrize("name", ODD)
def test_the_rows_are_those_of_memory(tmp_path: Path, name: str) -> None:
    plain, found = both(tmp_path, name, ODD[name])
    assert isinstance(found.rows, Spilled)
    alike(plain, found)
    mapping = detect(plain)
    assert detect(found) == mapping
    one, two = convert(plain, mapping), convert(found, mapping, Room(tmp_path / "examples", Telling()))
    assert list(two.examples) == list(one.examples)
    assert list(two.left_out) == list(one.left_out)


def test_parquet_and_choices_are_those_of_memory(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([{**pair, "n": [1, None]} for pair in PAIRS]), tmp_path / "a.parquet")
    alike(*both(tmp_path, "a.parquet", (tmp_path / "a.parquet").read_bytes()))
    alike(*both(tmp_path, "a.csv", "a;b,c\n1;2,3\n" * 9, delimiter=";", header=False))
    alike(*both(tmp_path, "b.csv", ("question,answer\n" + "ä?,b\n" * 9).encode("cp1252"), encoding="cp1252"))


@pytest.mark.parametrize("name", ["whole.json", "pretty.json", "one.jsonl", "open.csv", "chat.txt", "mails.csv"])
def test_what_only_makes_sense_as_a_whole_is_read_as_before(tmp_path: Path, name: str) -> None:
    content = {
        "whole.json": json.dumps(PAIRS),
        "pretty.json": json.dumps(PAIRS, indent=1),
        "one.jsonl": json.dumps(PAIRS[0]),
        "open.csv": "question,answer\n" + "a?,b\n" * 9 + '"never,closed\n' + "a?,b\n" * 9,
        "chat.txt": "One.\n\nTwo.",
        "mails.csv": "From: a@example.com\nTo: b@example.com\nSubject: x\nDate: Mon, 1 Jan 2024 00:00:00 +0000\n\nHi.\n",
    }[name]
    plain, found = both(tmp_path, name, content)
    assert isinstance(found.rows, list)
    alike(plain, found)


@needs_shared
@pytest.mark.long
def test_the_development_data_reads_the_same(tmp_path: Path) -> None:
    streamed = 0
    for place, path in enumerate(sorted(SHARED.rglob("*"))):
        if path.suffix.lower() not in STREAMED:
            continue
        try:
            plain = read(path)
        except StudioError as error:
            with pytest.raises(StudioError) as caught:
                read(path, room=Room(tmp_path / str(place), Telling()))
            assert str(caught.value) == str(error)
            continue
        found = read(path, room=Room(tmp_path / str(place), Telling()))
        alike(plain, found)
        streamed += isinstance(found.rows, Spilled)
    assert streamed >= 20


CASES = [case for case in BAD if Path(case[0]).suffix in STREAMED]


@pytest.mark.parametrize(("name", "content", "why"), CASES, ids=[case[0] for case in CASES])
def test_bad_files_get_the_same_sentence(tmp_path: Path, name: str, content: str | bytes, why: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(StudioError, match=why) as caught:
        read(write(tmp_path, name, content), room=Room(tmp_path / "room", Telling()))
    assert name in caught.value.what and caught.value.why and caught.value.fix
    assert time.perf_counter() - begun < SECONDS


def test_hostile_lines_cost_themselves_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed_lines, "LONGEST_LINE", 2**20)
    long = '{"question": "A?", "answer": "' + "x" * 3 * 2**20 + '"}\n'
    content = LINES + long + "[" * 100_000 + "\n" + "\x00\n" + LINES
    found = read(write(tmp_path, "hostile.jsonl", content), room=Room(tmp_path / "room", Telling()))
    assert len(found.rows) == 400
    assert [item.row for item in found.left_out] == [201, 202, 203]
    assert "longer than 1,048,576 signs" in found.left_out[0].reason
    assert "nested too deeply" in found.left_out[1].reason
    assert max(len(item.excerpt) for item in found.left_out) <= 80


def test_limits_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(tmp_path / "room", Telling())
    monkeypatch.setattr(reading, "MAX_ROWS", 100)
    for name, content in (("a.jsonl", LINES), ("a.csv", "question,answer\n" + "a?,b\n" * 101)):
        with pytest.raises(StudioError, match="more than 100 rows"):
            read(write(tmp_path, name, content), room=room)
    wide = "".join(json.dumps({f"c{row}-{n}": 1 for n in range(50)}) + "\n" for row in range(30))
    with pytest.raises(StudioError, match="columns, and 1,000 is the most"):
        read(write(tmp_path, "wide.jsonl", wide), room=room)
    monkeypatch.setattr(reading_files, "MAX_FILE", 1000)
    with pytest.raises(StudioError, match="is the most"):
        read(write(tmp_path, "whole.json", json.dumps(PAIRS)), room=room)
    monkeypatch.setattr(streamed_table, "MAX_FILE", 10)
    with pytest.raises(StudioError, match="Row 3: A quote mark is opened and never closed"):
        read(write(tmp_path, "open.csv", 'question,answer\na?,b\n"open,x\n' + "a?,b\n" * 9), room=room)


def test_a_line_far_too_long_is_no_row_of_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed_table, "LONGEST_LINE", 1000)
    alike(*both(tmp_path, "long.csv", "question,answer\na?,b\n" + "x" * 5000 + ",y\n"))


def test_far_too_many_lines_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed_lines, "MOST_LINES", 300)
    with pytest.raises(StudioError, match="more than 300 lines"):
        read(write(tmp_path, "empty.jsonl", LINES + "\n" * 101), room=Room(tmp_path / "room", Telling()))
    monkeypatch.setattr(reading, "MAX_ROWS", 250)
    with pytest.raises(StudioError, match="more than 250 rows"):
        read(write(tmp_path, "broken.jsonl", LINES + "{x\n" * 51), room=Room(tmp_path / "room", Telling()))


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_it_can_be_ended_and_does_not_pass_for_whole(tmp_path: Path, name: str) -> None:
    class Impatient(Telling):
        def tell(self, work: str, done: int, whole: int, rows: int = 0) -> None:
            assert work == "read" and 0 <= done <= whole
            if rows > 20:
                self.stop()
            super().tell(work, done, whole, rows)

    content = LINES if name.endswith("l") else "question,answer\n" + "".join(f"{n}?,b\n" for n in range(100_000))
    with pytest.raises(Stopped):
        read(write(tmp_path, name, content), room=Room(tmp_path / "room", Impatient()))
    assert reopened(tmp_path / "room") is None


@pytest.mark.long
def test_memory_does_not_grow_with_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((encoding, "PIECE"), (encoding, "SAMPLE"), (streamed_lines, "HEAD"), (reading_files, "HEAD")):
        monkeypatch.setattr(module, name, 4096)

    def peak(count: int, folder: Path) -> int:
        folder.mkdir()
        path = write(folder, "a.jsonl", LINES * (count // 200))
        tracemalloc.start()
        try:
            found = read(path, room=Room(folder / "rows", Telling()))
            convert(found, detect(found), Room(folder / "examples", Telling()))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(200, tmp_path / "warm")
    few, many = peak(1_000, tmp_path / "few"), peak(8_000, tmp_path / "many")
    assert many - few < 7_000 * 80  # places and numbers of the rows; the rows themselves take some 500 bytes each
