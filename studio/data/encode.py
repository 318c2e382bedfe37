"""The one place that turns examples and chats into tokens, for training, chat, preview and evaluation.

Every answer and its end-of-turn token is learned (its label is the token itself); everything else is only read (label
-100). The text is cut where learning begins and ends and each piece is tokenised by itself, so that the tokens before an
answer are exactly those that chat generates from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from studio.data.render import Message, Refused, Rendered, Renderer
from studio.errors import StudioError
from studio.records import Example, LeftOut

READ_ONLY = -100  # the label that torch's cross entropy passes over (its default ignore_index)


@dataclass(frozen=True)
class Encoded:
    """One row of tokens. `labels` is as long as `input_ids`; -100 means read, not learned.

    `cut_turns` counts the oldest exchanges (a question with its answer) that were dropped to fit.
    """

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    source_row: int = 0
    cut_turns: int = 0


def encode(tokenizer: Any, example: Example, *, max_length: int, system_prompt: str = "") -> Encoded | LeftOut:
    """One example as tokens; of a long plain text the first window.

    Args:
        tokenizer: A transformers tokenizer, with a chat template or without.
        max_length: Most tokens in a row.
        system_prompt: Put before conversations that have no system turn of their own.

    Raises:
        StudioError: the model's chat template cannot be used for any conversation.
    """
    found, left_out = encode_all(tokenizer, [example], max_length=max_length, system_prompt=system_prompt)
    return found[0] if found else left_out[0]


def encode_all(
    tokenizer: Any, examples: Iterable[Example], *, max_length: int, system_prompt: str = ""
) -> tuple[list[Encoded], list[LeftOut]]:
    """All examples as tokens, in order, and those that cannot be used. Arguments as for `encode`.

    A plain text longer than `max_length` becomes several rows of like length.
    """
    found: list[Encoded] = []
    left_out: list[LeftOut] = []
    for row in encode_each(tokenizer, examples, max_length=max_length, system_prompt=system_prompt):
        if isinstance(row, LeftOut):
            left_out.append(row)
        else:
            found.append(row)
    return found, left_out


def encode_each(
    tokenizer: Any, examples: Iterable[Example], *, max_length: int, system_prompt: str = ""
) -> Iterator[Encoded | LeftOut]:
    """`encode_all`, one row after the other."""
    encoder = Encoder(tokenizer)
    for example in examples:
        try:
            if example.messages:
                yield encoder.conversation(example, max_length, system_prompt)
            else:
                yield from encoder.windows(example, max_length)
        except Refused as error:
            yield LeftOut(example.source_row, str(error), excerpt_of(example))


def prompt_ids(tokenizer: Any, messages: Sequence[Message], *, system_prompt: str = "") -> list[int]:
    """The tokens that an answer to `messages` is generated from: the same that stand before it in training."""
    try:
        return Encoder(tokenizer).prompt(with_system(messages, system_prompt))
    except Refused as error:
        raise StudioError("This conversation cannot be put before the model.", str(error), "Start a new chat.") from error


def with_system(messages: Sequence[Message], system_prompt: str) -> list[Message]:
    """The messages with `system_prompt` first, unless it is empty or they bring a system turn of their own."""
    own = any(message.get("role") == "system" for message in messages)
    told = system_prompt.strip()
    return list(messages) if own or not told else [{"role": "system", "content": told}, *messages]


def stop_ids(tokenizer: Any) -> list[int]:
    """The tokens that end an answer: the end-of-text token, and the end-of-turn token where the template has another."""
    encoder = Encoder(tokenizer)
    ends = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    marks = encoder.renderer.marks
    if marks and (found := marks.findall(encoder.renderer.final)):
        ends += [number for number in encoder.tokens(found[-1])[-1:] if number not in ends]
    return ends


def token_view(tokenizer: Any, encoded: Encoded) -> list[tuple[str, bool]]:
    """The row as people see it: pieces of text, each with whether it is learned. Their texts joined give the whole.

    Tokens that are only part of a character are shown together with their neighbours.
    """
    view: list[tuple[str, bool]] = []
    ids, labels = encoded.input_ids, encoded.labels
    start = 0
    for end in range(1, len(ids) + 1):
        learned = labels[start] != READ_ONLY
        last = end == len(ids) or (labels[end] != READ_ONLY) != learned
        # the token before is decoded along: some tokenizers drop the space at the start of what they decode
        before = decode(tokenizer, ids[max(0, start - 1) : start])
        piece = decode(tokenizer, ids[max(0, start - 1) : end]).removeprefix(before)
        if last or not piece.endswith("\ufffd") or end - start >= 8:
            view.append((piece, learned))
            start = end
    return view


class Encoder:
    """Tokenises with one tokenizer; what it finds out about the tokenizer holds for all rows."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.renderer = Renderer(tokenizer)
        # sentencepiece-like tokenizers put a space before whatever they are given first
        self._prepends = any(self.tokens(f"\n{word}") != self.tokens("\n") + self.tokens(word) for word in ("x", "Hello", "42"))

    def tokens(self, text: str) -> list[int]:
        """The tokens of a text, with nothing put before or after."""
        return list(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """What an answer is generated from. Raises Refused."""
        return [number for ids, _ in self._pieces(self.renderer.prompt(messages)) for number in ids]

    def conversation(self, example: Example, max_length: int, system_prompt: str) -> Encoded:
        """A conversation that fits: its oldest exchanges are dropped as needed. Raises Refused."""
        messages = with_system(example.messages, system_prompt)
        while messages and messages[-1].get("role") != "assistant":
            messages.pop()  # nothing is learned behind the last answer
        told = [message for message in messages if message.get("role") == "system"]
        exchanges = exchanges_of([message for message in messages if message.get("role") != "system"])

        def after_dropping(count: int) -> Encoded:
            kept = told + [message for exchange in exchanges[count:] for message in exchange]
            return self._row(self.renderer.conversation(kept), example.source_row, count)

        row = after_dropping(0)
        if len(row.input_ids) <= max_length:
            return row
        low, high = 0, max(0, len(exchanges) - 1)
        while low < high:  # the fewest exchanges to drop, found by halving
            middle = (low + high) // 2
            if len(after_dropping(middle).input_ids) <= max_length:
                high = middle
            else:
                low = middle + 1
        row = after_dropping(low)
        if len(row.input_ids) > max_length:
            raise Refused(f"It is {len(row.input_ids)} pieces of text long, and the longest example may have {max_length}.")
        return row

    def windows(self, example: Example, max_length: int) -> list[Encoded]:
        """A plain text, all of it learned, in rows of like length. Raises Refused when there is nothing to learn."""
        text = example.text.encode("utf-8", "replace").decode("utf-8")
        ids = self.tokens(text) if text.strip() else []
        if not ids:
            raise Refused("There is no text in it.")
        opening = [self.tokenizer.bos_token_id] if self.renderer.opening else []
        closing = [] if self.tokenizer.eos_token_id is None else [self.tokenizer.eos_token_id]
        ids = opening + ids + closing
        if len(ids) < 2:
            raise Refused("It is too short to learn from.")
        count = -(-len(ids) // max_length)
        cuts = [index * len(ids) // count for index in range(count + 1)]
        rows = [tuple(ids[start:end]) for start, end in pairwise(cuts)]
        return [Encoded(row, row, example.source_row) for row in rows]

    def _row(self, rendered: Rendered, source_row: int, cut_turns: int) -> Encoded:
        ids: list[int] = []
        labels: list[int] = []
        for piece, learned in self._pieces(rendered):
            ids += piece
            labels += piece if learned else [READ_ONLY] * len(piece)
        if all(label == READ_ONLY for label in labels):
            raise Refused("There is nothing in it to learn from.")
        return Encoded(tuple(ids), tuple(labels), source_row, cut_turns)

    def _pieces(self, rendered: Rendered) -> list[tuple[list[int], bool]]:
        """The tokens of each stretch of the text, with whether it is learned."""
        text, cursor = rendered.text, 0
        pieces: list[tuple[list[int], bool]] = []
        for start, end in rendered.learned:
            pieces.append((self._tokens_after(text[cursor:start], text[:cursor]), False))
            pieces.append((self._tokens_after(text[start:end], text[:start]), True))
            cursor = end
        pieces.append((self._tokens_after(text[cursor:], text[:cursor]), False))
        return pieces

    def _tokens_after(self, text: str, before: str) -> list[int]:
        """The tokens of a text that goes on from `before`, without the space some tokenizers would put at its start."""
        if not text or not before or not self._prepends:
            return self.tokens(text) if text else []
        marks = [found.group() for found in self.renderer.marks.finditer(before)][-1:] if self.renderer.marks else []
        for anchor in [*(mark for mark in marks if before.endswith(mark)), "\n", ".", "x"]:
            known = self.tokens(anchor)
            both = self.tokens(anchor + text)
            if both[: len(known)] == known:
                return both[len(known) :]
        return self.tokens(text)


def exchanges_of(messages: Sequence[Message]) -> list[list[Message]]:
    """The conversation in exchanges: each begins with the first question after an answer."""
    exchanges: list[list[Message]] = []
    previous = "assistant"
    for message in messages:
        if not exchanges or (message.get("role") == "user" and previous == "assistant"):
            exchanges.append([])
        exchanges[-1].append(message)
        previous = message.get("role", "")
    return exchanges


def excerpt_of(example: Example, most: int = 80) -> str:
    """The beginning of what was asked, or of the text, on one line."""
    texts = [message.get("content") for message in example.messages if message.get("role") != "system"] or [example.text]
    line = " ".join(str(texts[0])[: 4 * most].split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def decode(tokenizer: Any, ids: Sequence[int]) -> str:
    """Text of tokens with nothing left out or tidied."""
    return tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
