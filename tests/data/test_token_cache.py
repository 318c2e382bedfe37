"""Tokens are kept, and only ever those that would be made now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio.data import token_cache
from studio.data.encode import encode_all
from studio.data.token_cache import FOLDER, KEPT, encode_cached
from studio.records import Example
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
        return encode_all(tokenizer, examples, **about)

    monkeypatch.setattr(token_cache, "encode_all", counting)
    return found


def files(dataset: Path) -> list[Path]:
    return sorted((dataset / FOLDER).iterdir())


def test_the_second_time_gives_the_same_without_tokenising(tmp_path: Path, tokenizer: Any, counted: list[int]) -> None:
    first = encode_cached(tmp_path, tokenizer, ROWS, **USUAL)
    assert first == encode_all(tokenizer, ROWS, max_length=64, system_prompt="")
    assert first[1] and any(row.labels[0] == -100 for row in first[0])
    assert encode_cached(tmp_path, tokenizer, ROWS, **USUAL) == first
    assert counted == [len(ROWS)]


@pytest.mark.parametrize(
    "change", [{"rows_sha256": "b" * 64}, {"split": "validation"}, {"max_length": 63}, {"system_prompt": "Be brief."}]
)
def test_whatever_the_tokens_depend_on_makes_another_file(
    tmp_path: Path, tokenizer: Any, counted: list[int], change: dict
) -> None:
    encode_cached(tmp_path, tokenizer, ROWS, **USUAL)
    encode_cached(tmp_path, tokenizer, ROWS, **{**USUAL, **change})
    assert len(counted) == len(files(tmp_path)) == 2


def test_another_template_or_other_code_tokenises_anew(
    tmp_path: Path, counted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = tiny_tokenizer()
    encode_cached(tmp_path, tokenizer, ROWS, **USUAL)
    tokenizer.chat_template = tokenizer.chat_template.replace("<|im_start|>", "<|im_start|> ")
    encode_cached(tmp_path, tokenizer, ROWS, **USUAL)
    assert len(counted) == 2
    monkeypatch.setattr(token_cache, "sha256_file", lambda path: "other code")
    encode_cached(tmp_path, tokenizer, ROWS, **USUAL)
    assert len(counted) == 3


def test_a_damaged_file_counts_as_missing(tmp_path: Path, tokenizer: Any, counted: list[int]) -> None:
    first = encode_cached(tmp_path, tokenizer, ROWS, **USUAL)
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 0x10
    for damaged in (bytes(flipped), whole[: len(whole) // 2], b"", b"not a table"):
        path.write_bytes(damaged)
        assert encode_cached(tmp_path, tokenizer, ROWS, **USUAL) == first
    assert len(counted) >= 4, "what could not be read was made anew"


def test_only_the_newest_are_kept_and_a_full_disk_is_no_matter(
    tmp_path: Path, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for length in range(40, 40 + KEPT + 3):
        encode_cached(tmp_path, tokenizer, ROWS, **{**USUAL, "max_length": length})
    assert len(files(tmp_path)) == KEPT

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(token_cache.pq, "write_table", full)
    rows, _ = encode_cached(tmp_path, tokenizer, ROWS, **{**USUAL, "max_length": 33})
    assert rows and not [path for path in files(tmp_path) if path.name.startswith(".staging")]
