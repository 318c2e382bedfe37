"""Answers to a list of conversations, all at once: the samples while training, and --demo."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from studio.data.encode import prompt_ids, stop_ids
from studio.inference.decode import Text, decode, greedy, plain_forward

ROWS_AT_ONCE = 16
DEFAULT_CONTEXT = 2048


def answer_all(
    model: Any,
    tokenizer: Any,
    conversations: list[list[dict[str, str]]],
    *,
    system_prompt: str = "",
    max_new_tokens: int,
    stop: Callable[[], bool] = lambda: False,
) -> list[str]:
    """The likeliest answer to each conversation (greedy), in their order.

    The model is left as it was: the same modules in training mode, the same weights trainable. A prompt longer than the
    model's context loses its oldest tokens.

    Args:
        stop: Asked before every token; True ends all answers where they are.
    """
    room = max(1, context_of(model) - max_new_tokens)
    prompts = [prompt_ids(tokenizer, messages, system_prompt=system_prompt)[-room:] for messages in conversations]
    answers = [Text(tokenizer) for _ in prompts]
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))  # like lengths together: little padding
    ends, pad = stop_ids(tokenizer), tokenizer.pad_token_id or 0
    with answering(model):
        for start in range(0, len(order), ROWS_AT_ONCE):
            part = order[start : start + ROWS_AT_ONCE]
            written = decode(
                plain_forward(model),
                [prompts[index] for index in part],
                stop_ids=ends,
                pad_id=pad,
                max_new_tokens=max_new_tokens,
                choose=greedy,
                device=model.device,
            )
            if stop():
                break
            for found in written:
                for row, token in found.items():
                    if token is not None:
                        answers[part[row]].add(token)
                if stop():
                    break
    return [answer.text().strip() for answer in answers]


@contextlib.contextmanager
def answering(model: Any) -> Iterator[None]:
    """Eval mode for the length of the block; then every module is in the mode it was in."""
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


def context_of(model: Any) -> int:
    """The longest text the model can attend to, in tokens."""
    config = model.config.get_text_config()
    return int(getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None) or DEFAULT_CONTEXT)
