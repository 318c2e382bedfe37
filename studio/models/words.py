"""New words: pieces of text that a run adds to a tokenizer, whose rows in the embedding and the head learn with the adapter.

They travel with the adapter: its folder holds the tokenizer, and peft's `trainable_token_indices` holds the rows. The base has
neither, and answers without them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from studio.errors import StudioError

MOST = 1000  # words; the setting's 2,000 characters hold no more


def words_of(text: str) -> list[str]:
    """The words of the setting, one a line, each once."""
    return list(dict.fromkeys(word for line in text.splitlines() if (word := line.strip())))


def extend(tokenizer: Any, text: str) -> dict[int, list[int]]:
    """Add the words a tokenizer does not have as one piece yet. Each is found as a whole word only.

    Returns the new ids with the pieces each word was written with before.
    Raises StudioError where a word would tear one of the tokenizer's own marks apart.
    """
    from tokenizers import AddedToken  # noqa: PLC0415

    written = {word: list(tokenizer(word, add_special_tokens=False)["input_ids"]) for word in words_of(text)}
    fresh = {word: pieces for word, pieces in written.items() if len(pieces) > 1}
    marks = [str(item) for item in tokenizer.added_tokens_decoder.values() if item.special]
    for word in fresh:
        if any(word in mark or mark in word for mark in marks):
            raise StudioError(
                "Training did not start.",
                f"The new word “{word}” is part of a mark this model needs for itself.",
                "Take it out of “New words”.",
            )
    tokenizer.add_tokens([AddedToken(word, single_word=True, normalized=False) for word in fresh])
    return dict(zip(tokenizer.convert_tokens_to_ids(list(fresh)), fresh.values(), strict=True))


def make_room(model: Any, ids: Sequence[int]) -> None:
    """Give the embedding and the head rows for these ids where they have none. Rows left unused by the base are taken first."""
    import torch  # noqa: PLC0415

    if max(ids) < model.get_input_embeddings().num_embeddings:
        return
    with torch.random.fork_rng(devices=[]):  # the rows' first values are drawn, and replaced before anything reads them
        model.resize_token_embeddings(max(ids) + 1, mean_resizing=False)
    model.requires_grad_(False)


def places(model: Any, ids: Sequence[int]) -> dict[str, list[int]]:
    """What peft's `trainable_token_indices` takes: the ids, for the embedding and for a head of its own.

    Raises StudioError where the head adds a number of its own to every word, which peft 0.21 leaves out.
    """
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    names = {module: name.rpartition(".")[2] for name, module in model.named_modules()}
    if getattr(head, "bias", None) is not None:
        raise StudioError("Training did not start.", "New words cannot be added to this model.", "Leave “New words” empty.")
    found = {names[embedding]: list(ids)}
    if head is not None and head.weight is not embedding.weight:
        found[names[head]] = list(ids)
    return found


def start_rows(model: Any, words: Mapping[int, Sequence[int]]) -> None:
    """Start each new word from the mean of the pieces it was written with, in the embedding and in the head."""
    import torch  # noqa: PLC0415
    from peft.tuners.trainable_tokens import TrainableTokensLayer  # noqa: PLC0415

    for layer in model.modules():
        if isinstance(layer, TrainableTokensLayer) and not layer.tied_adapter:
            rows, weight = layer.trainable_tokens_delta["default"], layer.get_base_layer().weight
            with torch.no_grad():
                for place, pieces in enumerate(words.values()):
                    rows[place] = weight[list(pieces)].float().mean(0)


def indices_of(config: Mapping[str, Any]) -> list[int] | None:
    """The new ids an adapter's config names; None where they are not what this app writes."""
    named = config.get("trainable_token_indices")
    if named is None:
        return []
    lists = list(named.values()) if isinstance(named, dict) else [None]
    first = lists[0] if lists else None
    fine = isinstance(first, list) and 0 < len(first) <= MOST and all(item == first for item in lists)
    if not fine or any(type(item) is not int or item < 0 for item in first) or max(first) - min(first) > MOST:
        return None
    return first


@contextlib.contextmanager
def as_base(model: Any) -> Iterator[None]:
    """The model without its adapter for the length of the block, and without the rows of new words."""
    ids = [item for config in model.peft_config.values() for item in indices_of(vars(config)) or []]

    def cut(_module: Any, _inputs: Any, out: Any) -> Any:
        out.logits = out.logits[..., : min(ids)]
        return out

    handle = model.register_forward_hook(cut) if ids else None
    try:
        with model.disable_adapter():
            yield
    finally:
        if handle:
            handle.remove()
