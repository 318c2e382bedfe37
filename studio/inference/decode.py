"""The one loop that writes answers, token by token: used by the chat and by the sample answers of a run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from studio.errors import StudioError

TOP_P = 0.9  # nucleus sampling, arXiv:1904.09751: the likeliest tokens that hold this share of the probability
HALF = "\ufffd"  # what decoding puts for bytes that are not (yet) a character

# Called with the indices of the rows that still run and the model's inputs; returns the model's output.
Forward = Callable[..., Any]


def decode(
    forward: Forward,
    prompts: Sequence[Sequence[int]],
    *,
    stop_ids: Sequence[int],
    pad_id: int,
    max_new_tokens: int,
    choose: Callable[[Any], Any],
    device: Any = "cpu",
) -> Iterator[dict[int, int | None]]:
    """Answer several prompts in one batch, padded on the left, with a KV cache. Rows that end leave the batch.

    Args:
        forward: `forward(rows, input_ids=..., ...)` runs the model; `rows` lists the original indices of the batch's rows.
        prompts: Token ids of each prompt, none empty.
        stop_ids: Tokens that end a row; they are not yielded.
        choose: Takes logits [rows, vocabulary] in float32, gives token ids [rows].
    Yields:
        After each forward pass {row: its new token, or None when it ended}, only rows that were running.
    """
    import torch  # noqa: PLC0415

    longest = max(len(prompt) for prompt in prompts)
    ids = torch.full((len(prompts), longest), pad_id, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.tensor(list(prompt))
        mask[row, longest - len(prompt) :] = 1
    ids, mask = ids.to(device), mask.to(device)
    places = (mask.cumsum(-1) - 1).clamp(min=0)
    rows, cache = list(range(len(prompts))), None
    for _ in range(max_new_tokens):
        with torch.no_grad():  # not inference_mode: what a layer keeps from here must stay usable in training
            out = forward(rows, input_ids=ids, attention_mask=mask, position_ids=places, past_key_values=cache, use_cache=True)
            new = choose(out.logits[:, -1].float())
        cache = out.past_key_values
        found = {row: None if token in stop_ids else token for row, token in zip(rows, new.tolist(), strict=True)}
        yield found
        going = [index for index, row in enumerate(rows) if found[row] is not None]
        if not going:
            return
        if len(going) < len(rows):
            kept = torch.tensor(going, device=mask.device)
            cache.batch_select_indices(kept)
            rows, new, mask, places = [rows[index] for index in going], new[kept], mask[kept], places[kept]
        ids, places = new[:, None], places[:, -1:] + 1
        mask = torch.cat([mask, mask.new_ones((len(rows), 1))], dim=1)


def plain_forward(model: Any) -> Forward:
    """A `Forward` that runs the model as it is, computing logits for the last position only where it can."""
    extra = last_only(model)
    return lambda rows, **inputs: model(**inputs, **extra)


def last_only(model: Any) -> dict[str, int]:
    """The argument that spares the head all positions but the last, where the model's family takes it."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    return {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(base.forward).parameters else {}


def greedy(logits: Any) -> Any:
    """The likeliest token of each row: [rows, vocabulary] -> [rows]. Raises StudioError when the numbers are broken."""
    return checked(logits).argmax(-1)


def sampler(temperature: float, seed: int | None = None) -> Callable[[Any], Any]:
    """Draws tokens at a temperature from the top `TOP_P` of the probability; 0 is greedy. A seed makes it repeatable."""
    if temperature <= 0:
        return greedy
    generator: Any = None

    def draw(logits: Any) -> Any:
        import torch  # noqa: PLC0415

        nonlocal generator
        if seed is not None and generator is None:
            generator = torch.Generator(logits.device).manual_seed(seed)
        share, tokens = (checked(logits) / temperature).softmax(-1).sort(-1, descending=True)
        # a token stays while those before it hold less than TOP_P, so the likeliest always does
        share = share.masked_fill(share.cumsum(-1) - share >= TOP_P, 0.0)
        return tokens.gather(-1, torch.multinomial(share, 1, generator=generator)).squeeze(-1)

    return draw


def checked(logits: Any) -> Any:
    """The logits, or a StudioError when one is not a number, as after a run that diverged."""
    if not bool(logits.isfinite().all()):
        raise StudioError(
            "The model gave no answer.", "Its numbers are broken, as after a learning rate that is too high.", "Train it again."
        )
    return logits


class Text:
    """Tokens becoming text piece by piece, never half a character."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.ids: list[int] = []

    def add(self, token: int) -> None:
        """One more token."""
        self.ids.append(token)

    def text(self) -> str:
        """The text so far; the bytes of a character that is not complete are held back."""
        # the whole is decoded anew each time: fast (under a millisecond for a long answer), and right for every tokenizer
        return self._tokenizer.decode(self.ids, skip_special_tokens=True, clean_up_tokenization_spaces=False).rstrip(HALF)
