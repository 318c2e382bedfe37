"""Tokens are kept, and only ever those that would be made now."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.data import token_cache
from studio.data.encode import Encoded, encode_all, encode_each
from studio.data.token_cache import FOLDER, GROUPS_IN_MEMORY, KEPT, encode_cached
from studio.records import Example, LeftOut
from tests.conftest import tiny_tokenizer

ROWS = [
    *(
        Example(({"role": "user", "content": f"what is {at} naïve 🙂"}, {"role": "assistant", "content": "blue"}), source_row=at)
        for at in range(9)
    ),
    Example(({"role": "user", "content": "nobody answers"},), source_row=9),
    Example(text="plain prose " * 40, source_row=10),
]
USUAL: dict[str, Any] = {"rows_sha256": "a" * 64, "split": "train", "max_length": 64, "system_prompt": ""}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return tiny_tokenizer()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each time that rows were really tokenised."""
    found: list[int] = []

    def counting(tokenizer, examples, **about):
        found.append(len(examples))
        return encode_each(tokenizer, examples, **about)

    monkeypatch.setattr(token_cache, "encode_each", counting)
    return found


def cached(dataset: Path, tokenizer: Any, **change: Any) -> tuple[list[Encoded], list[LeftOut]]:
    """Like `encode_all`."""
    rows = encode_cached(dataset, tokenizer, lambda: ROWS, **{**USUAL, **change})
    assert (rows.tokens, rows.longest) == (sum(len(row.input_ids) for row in rows), max(len(row.input_ids) for row in rows))
    return list(rows), rows.left_out


def files(dataset: Path) -> list[Path]:
    return sorted((dataset / FOLDER).iterdir())


def test_the_second_time_gives_the_same_without_tokenising(tmp_path: Path, tokenizer: Any, counted: list[int]) -> None:
    first = cached(tmp_path, tokenizer)
    assert first == encode_all(tokenizer, ROWS, max_length=64, system_prompt="")
    assert first[1] and any(row.labels[0] == -100 for row in first[0])
    assert cached(tmp_path, tokenizer) == first
    assert counted == [len(ROWS)]


@pytest.mark.parametrize(
    "change", [{"rows_sha256": "b" * 64}, {"split": "validation"}, {"max_length": 63}, {"system_prompt": "Be brief."}]
)
def test_whatever_the_tokens_depend_on_makes_another_file(
    tmp_path: Path, tokenizer: Any, counted: list[int], change: dict
) -> None:
    cached(tmp_path, tokenizer)
    cached(tmp_path, tokenizer, **change)
    assert len(counted) == len(files(tmp_path)) == 2


def test_another_template_or_other_code_tokenises_anew(
    tmp_path: Path, counted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = tiny_tokenizer()
    cached(tmp_path, tokenizer)
    tokenizer.chat_template = tokenizer.chat_template.replace("<|im_start|>", "<|im_start|> ")
    cached(tmp_path, tokenizer)
    assert len(counted) == 2
    monkeypatch.setattr(token_cache, "sha256_file", lambda path: "other code")
    cached(tmp_path, tokenizer)
    assert len(counted) == 3


def test_a_damaged_file_counts_as_missing(tmp_path: Path, tokenizer: Any, counted: list[int]) -> None:
    first = cached(tmp_path, tokenizer)
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 0x10
    for damaged in (bytes(flipped), whole[: len(whole) // 2], b"", b"not a table"):
        path.write_bytes(damaged)
        assert cached(tmp_path, tokenizer) == first
    assert len(counted) >= 4, "what could not be read was made anew"


def test_only_the_newest_are_kept_and_a_full_disk_is_no_matter(
    tmp_path: Path, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for length in range(40, 40 + KEPT + 3):
        cached(tmp_path, tokenizer, max_length=length)
    assert len(files(tmp_path)) == KEPT

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(token_cache.os, "replace", full)
    rows, _ = cached(tmp_path, tokenizer, max_length=33)
    assert rows and not [path for path in files(tmp_path) if path.name.startswith(".staging")]


def test_rows_are_read_as_a_sequence(tmp_path: Path, tokenizer: Any) -> None:
    wanted, _ = encode_all(tokenizer, ROWS, max_length=64)
    rows = encode_cached(tmp_path, tokenizer, lambda: ROWS, **USUAL)
    assert len(rows) == len(wanted) and rows[3] == wanted[3] and rows[1::2] == wanted[1::2]
    with pytest.raises(IndexError):
        rows[len(wanted)]


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(token_cache, "GROUP", 16)
    return 16


@pytest.mark.long
def test_more_rows_take_no_more_memory(tmp_path: Path, tokenizer: Any, small_groups: int) -> None:
    def many(count: int) -> Iterator[Example]:
        answer = {"role": "assistant", "content": "it is blue " * 8}
        return (Example(({"role": "user", "content": f"{at}"}, answer), source_row=at) for at in range(count))

    def most(count: int) -> int:
        tracemalloc.start()
        rows = encode_cached(tmp_path, tokenizer, lambda: many(count), **{**USUAL, "rows_sha256": f"{count:064}"})
        assert len(rows) == count and rows[count - 1].source_row == count - 1
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    most(small_groups)  # what is made once
    assert most(20 * small_groups) < 1.2 * most(2 * small_groups)


def test_what_was_read_last_stays_in_memory_and_no_more(tmp_path: Path, tokenizer: Any, small_groups: int) -> None:
    rows = encode_cached(tmp_path, tokenizer, lambda: ROWS * small_groups, **USUAL)
    assert len(rows) > small_groups * 9
    for _ in range(2):
        assert {row.source_row for row in rows} == set(range(11)) - {9}
    about = rows._group.cache_info()
    assert (about.misses, about.maxsize) == (-(-len(rows) // small_groups), GROUPS_IN_MEMORY)
