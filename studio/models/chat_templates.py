"""How a conversation is written down for a model: its own chat template, or one chosen for a model that brings none."""

from __future__ import annotations

from typing import Any

from studio.errors import StudioError

START, END = "<|im_start|>", "<|im_end|>"
# Roles in ChatML's marks, as most open chat models write them (published with OpenAI's chat API in 2023)
CHATML = """\
{{- OPENING }}
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + CLOSING + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{% endif %}"""
PLAIN = """\
{{- OPENING }}
{%- for message in messages %}
{%- if message.role == 'system' %}{{ message.content + '\\n\\n' }}
{%- elif message.role == 'user' %}{{ '### User:\\n' + message.content + '\\n\\n' }}
{%- else %}{{ '### Assistant:\\n' + message.content + CLOSING + '\\n\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '### Assistant:\\n' }}{% endif %}"""
TEMPLATES = {"chatml": CHATML, "plain": PLAIN}


def template_for(tokenizer: Any, choice: str, own: str) -> str:
    """The template's text, complete: any library that reads chat templates writes the same with it and this tokenizer.

    An answer ends with one real token, which ends the answering too: ChatML's own mark where the tokenizer has it as a token,
    else the end-of-text token. ChatML's mark for a turn's start is ordinary text where it is no token.

    Args:
        choice: "own", "chatml" or "plain".
        own: The model's own template; "" where it has none.
    Raises:
        StudioError: "own" for a model that has none, or no token could end an answer.
    """
    if choice == "own":
        if not own:
            raise no_template()
        return own
    if choice not in TEMPLATES:
        raise StudioError("This chat template cannot be used.", f"{choice!r} is none this app has.", "Choose another one.")
    if choice == "chatml" and is_token(tokenizer, END):
        closing = f"'{END}'"
    elif tokenizer.eos_token:
        closing = "eos_token"
    else:
        raise StudioError("This chat template cannot be used.", "The model has no token that ends a text.", "Pick another model.")
    opening = "bos_token" if opens_with_mark(tokenizer) else "''"
    return TEMPLATES[choice].replace("OPENING", opening).replace("CLOSING", closing)


def no_template() -> StudioError:
    """The error for "own" where a model has none."""
    return StudioError(
        "This model has no chat template.",
        "It was not made for conversations, so it brings no way of writing them down.",
        "Choose ChatML, or Question and answer, under Advanced in step 2.",
    )


def is_token(tokenizer: Any, mark: str) -> bool:
    """Whether the tokenizer reads a mark as one token of its own."""
    return mark in {str(token) for token in tokenizer.added_tokens_decoder.values()}


def opens_with_mark(tokenizer: Any) -> bool:
    """Whether the tokenizer itself puts its beginning-of-text token before a text."""
    return tokenizer.bos_token_id is not None and tokenizer("x")["input_ids"][:1] == [tokenizer.bos_token_id]
