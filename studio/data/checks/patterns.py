"""What checks that look for phrases share: one pass over the rows, with what was found as each row's note."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from studio.data.checks.common import Notes, batches, texts
from studio.records import Example

Found = list[tuple[tuple[int, ...], dict[int, str]]]


def search(rows: Sequence[Example], *signs: Callable[[Example], str], likely: str = "") -> Found:
    """For each sign the positions of rows in which it finds something, and what it found in the first of them.

    Args:
        likely: An RE2 expression that matches, in whatever case and with spaces for line ends, in every row in which a sign
            finds something. Most rows are passed over by it, many times as fast as by Python's own expressions.
    """
    found: list[tuple[list[int], Notes]] = [([], Notes()) for _ in signs]
    for start, batch in batches(rows):
        for at in places_of(batch, likely) if likely else range(len(batch)):
            for sign, (hit, notes) in zip(signs, found, strict=True):
                if words := sign(batch[at]):
                    hit.append(start + at)
                    notes[start + at] = f"“{words[:80]}”"
    return [(tuple(hit), dict(notes)) for hit, notes in found]


def places_of(batch: list[Example], likely: str) -> list[int]:
    """Where in the batch the expression matches in any text."""
    import pyarrow as pa  # noqa: PLC0415 - 100 ms
    import pyarrow.compute as pc  # noqa: PLC0415

    lines = [" ".join(texts(row)).replace("\n", " ").encode("utf-8", "replace").decode() for row in batch]
    whole = pa.array(lines, pa.large_string())
    return pc.match_substring_regex(whole, likely, ignore_case=True).to_numpy(zero_copy_only=False).nonzero()[0].tolist()


def coarse(phrase: str) -> str:
    """An RE2 expression that matches wherever the phrase does and may match elsewhere: no borders of words, gaps of any length.

    For phrases without lookaround whose classes of letters, such as `\\w`, come with a count in braces.
    """
    phrase = re.sub(r"\\[wW]\{\d+,\d+\}\??", ".*", re.sub(r"\.\{\d+,\d+\}", ".*", phrase))
    return phrase.replace(r"\b", "").replace("^", "")
