"""What the page knows of tokens before a run: the pieces of one example, and how long the rows of a data set are."""

from __future__ import annotations

import heapq
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from studio.config import DataConfig
from studio.data.encode import READ_ONLY, Encoded, encode, encode_all, token_view
from studio.datasets import DatasetStore
from studio.errors import StudioError
from studio.models.catalog import ModelCatalog
from studio.models.row_sizes import LEARNED_SHARE, RowSizes
from studio.records import Example
from studio.training.plan import shared_prefix

MEASURED_ROWS = 300  # rows tokenised for an estimate; their mean is within a few percent
KEPT = 4
MAX_ROW = 10**9  # no row is cut
MOST_COUNTED = 20_000  # rows whose tokens are counted while somebody waits; 20,000 take about ten seconds
# For a model that is not here yet. Measured with the starter's tokenizer on the three samples: 4.1, 3.5 and 4.3 letters a
# token, and 31 tokens around one question and its answer (turn marks and the template's own opening words).
LETTERS_PER_TOKEN = 3.9
TOKENS_AROUND, TOKENS_PER_TURN = 21, 5


@dataclass(frozen=True)
class Sizes:
    """Tokens of the rows of a data set, and how many the rows share at their start.

    `measured` is False where they were reckoned from the letters. `lengths` are those of a fair sample of the rows.
    """

    mean: float
    longest: int
    shared: int
    measured: bool
    lengths: tuple[int, ...] = ()
    learned_share: float = LEARNED_SHARE

    def of_rows(self, rows: int, validation_rows: int) -> RowSizes:
        """What the estimate takes, for so many rows."""
        return RowSizes(max(1, rows), validation_rows, self.mean, self.longest, self.shared, self.lengths, self.learned_share)


class Tokens:
    """Tokenizers and row lengths, each worked out once and kept. Safe to use from several threads."""

    def __init__(self, datasets: DatasetStore, catalog: ModelCatalog) -> None:
        self.datasets, self.catalog = datasets, catalog
        self._gate = threading.RLock()
        self._tokenizers: OrderedDict[str, Any] = OrderedDict()
        self._rows: OrderedDict[str, Sequence[Example]] = OrderedDict()
        self._splits: OrderedDict[str, list[str]] = OrderedDict()
        self._sizes: OrderedDict[tuple[Any, ...], Sizes] = OrderedDict()

    def rows(self, dataset_id: str) -> Sequence[Example]:
        """The rows of a data set; those of a large one are read from the disk when they are asked for."""
        return self._kept(self._rows, dataset_id, lambda: self.datasets.stored(dataset_id))

    def splits(self, dataset_id: str) -> list[str]:
        """The side of each row of a data set: train, validation or test."""
        return self._kept(
            self._splits, dataset_id, lambda: [sys.intern(item["split"]) for item in self.datasets.records(dataset_id, ["split"])]
        )

    def tokenizer(self, model_id: str, chat_template: str = "own") -> Any:
        """The tokenizer of a model that is on this computer. Imports transformers, which takes seconds the first time.

        Raises StudioError where the model brings no chat template and none is chosen.
        """
        from studio.models.load import load_tokenizer  # noqa: PLC0415

        key = f"{model_id} {chat_template}"
        return self._kept(self._tokenizers, key, lambda: load_tokenizer(self.catalog.folder(model_id), chat_template))

    def _assumed(self, model_id: str, chat_template: str = "own") -> str:
        """The template to count with: where one has still to be chosen, the plain one, which is about as long as others."""
        return "plain" if chat_template == "own" and not self.catalog.get(model_id).has_chat_template else chat_template

    def view(self, model_id: str, example: Example) -> tuple[list[tuple[str, bool]], int, int] | str:
        """(pieces, learned tokens, cut turns) of one example, or the sentence why the model cannot read it."""
        try:
            tokenizer = self.tokenizer(model_id)
        except StudioError as error:
            return f"{error.what} {error.fix}"
        encoded = encode(tokenizer, example, max_length=DataConfig().max_length)
        if not isinstance(encoded, Encoded):
            return encoded.reason
        return token_view(tokenizer, encoded), sum(label != READ_ONLY for label in encoded.labels), encoded.cut_turns

    def lengths(self, model_id: str, rows: Sequence[Example]) -> list[int]:
        """Tokens of every row before anything is cut, 0 for plain text, which is read in windows. Empty: not to be known yet.

        Does not wait for the library that reads tokenizers, see `countable`.
        """
        if len(rows) > MOST_COUNTED or not self.countable(model_id):
            return []
        tokenizer = self.tokenizer(model_id, self._assumed(model_id))
        found = (encode(tokenizer, row, max_length=MAX_ROW) if row.messages else None for row in rows)
        return [len(item.input_ids) if isinstance(item, Encoded) else 0 for item in found]

    def countable(self, model_id: str) -> bool:
        """Whether tokens of this model can be counted right away: it is on this computer, and the library is loaded."""
        module = sys.modules.get("transformers")
        loaded = module is not None and not getattr(module.__spec__, "_initializing", False)
        return loaded and self.catalog.get(model_id).ready

    def sizes(
        self, dataset_id: str, model_id: str, *, max_length: int, system_prompt: str, chat_template: str = "own", measure: bool
    ) -> Sizes:
        """How long the rows are. With `measure` they are tokenised, which needs the model; else reckoned from their letters."""
        rows = self.rows(dataset_id)
        if not measure:
            asked = ("reckoned", dataset_id, max_length, system_prompt)
            return self._kept(self._sizes, asked, lambda: reckoned(rows, max_length, system_prompt), keep=32)
        template = self._assumed(model_id, chat_template)
        key = (dataset_id, model_id, max_length, system_prompt, template)

        def work() -> Sizes:
            encoder = {"max_length": max_length, "system_prompt": system_prompt}
            some = rows[:: len(rows) // MEASURED_ROWS + 1]
            found, _ = encode_all(self.tokenizer(model_id, template), some, **encoder)
            lengths = tuple(len(item.input_ids) for item in found)
            if not lengths:
                return reckoned(rows, max_length, system_prompt)
            longest_rows = heapq.nlargest(5, rows, key=lambda row: len(text_of(row)))
            longest, _ = encode_all(self.tokenizer(model_id, template), longest_rows, **encoder)
            most = max(*lengths, *(len(item.input_ids) for item in longest), 0)
            learned = sum(label != READ_ONLY for item in found for label in item.labels)
            return Sizes(sum(lengths) / len(lengths), most, shared_prefix(found), True, lengths, learned / sum(lengths))

        return self._kept(self._sizes, key, work, keep=32)

    def _kept(self, store: OrderedDict, key: Any, work: Any, keep: int = KEPT) -> Any:
        with self._gate:
            if key not in store:
                store[key] = work()
            store.move_to_end(key)
            while len(store) > keep:
                store.popitem(last=False)
            return store[key]


def text_of(example: Example) -> str:
    """All letters of a row."""
    return "".join(message["content"] for message in example.messages) if example.messages else example.text


def reckoned(rows: Sequence[Example], max_length: int, system_prompt: str) -> Sizes:
    """Lengths from the number of letters and turns."""
    lengths = tuple(min(max_length, reckoned_length(row, system_prompt)) for row in rows) or (1,)
    shared = TOKENS_AROUND + round(len(system_prompt) / LETTERS_PER_TOKEN) if rows and all(row.messages for row in rows) else 0
    some = lengths[:: len(lengths) // MEASURED_ROWS + 1]
    return Sizes(max(1.0, sum(lengths) / len(lengths)), max(1, max(lengths)), shared, False, some)


def reckoned_length(row: Example, system_prompt: str) -> int:
    """About how many tokens a row has."""
    letters = len(text_of(row)) + (len(system_prompt) if row.messages else 0)
    around = TOKENS_AROUND + TOKENS_PER_TURN * len(row.messages) if row.messages else 1
    return round(letters / LETTERS_PER_TOKEN) + around
