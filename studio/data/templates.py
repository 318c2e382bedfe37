"""Chat templates that are already written into the texts: found as a whole, and taken apart into turns where that is allowed.

Sources: the chat templates in the publishers' tokenizer_config.json, the prompt of Stanford Alpaca, FastChat's vicuna_v1.1,
and Anthropic's hh-rlhf. All patterns match fixed words, so that no text can make them slow.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from studio.data.cells import Message, turn

PREFACE = "Below is an instruction"  # how the preface of Alpaca's template begins; it is part of the template
SYSTEM_BLOCK = ("<<SYS>>", "<</SYS>>")


@dataclass(frozen=True)
class Template:
    """One way to write a chat into a text. `heads` begin a turn and have its speaker in a group; `ends` are taken out."""

    label: str
    signs: tuple[str, ...]
    heads: re.Pattern[str]
    ends: re.Pattern[str]


def template(label: str, signs: tuple[str, ...], heads: str, ends: str) -> Template:
    """A template from its patterns; all `signs` must be in a text of it."""
    return Template(label, signs, re.compile(heads), re.compile(ends))


TEMPLATES: dict[str, Template] = {
    "chatml": template(
        "ChatML", ("<|im_start|>assistant",), r"<\|im_start\|>(system|user|assistant)\n?", r"<\|im_end\|>|<\|endoftext\|>"
    ),
    "llama3": template(
        "Llama 3",
        ("<|start_header_id|>assistant",),
        r"<\|start_header_id\|>(system|user|assistant)<\|end_header_id\|>\n{0,2}",
        r"<\|eot_id\|>|<\|begin_of_text\|>|<\|end_of_text\|>",
    ),
    "gemma": template("Gemma", ("<start_of_turn>model",), r"<start_of_turn>(user|model)\n?", r"<end_of_turn>|<bos>|<eos>"),
    "zephyr": template("Zephyr", ("<|assistant|>",), r"<\|(system|user|assistant)\|>\n?", r"</s>|<s>|<\|end\|>|<\|endoftext\|>"),
    "llama2": template("Llama 2", ("[INST]", "[/INST]"), r"(\[/?INST\])", r"</?s>"),
    "alpaca": template(
        "Alpaca",
        ("### Instruction:", "### Response:"),
        r"(?m)^### (Instruction|Input|Response):[ \t]{0,4}\n?",
        r"</s>|<\|endoftext\|>",
    ),
    "vicuna": template("Vicuna", ("USER: ", "ASSISTANT:"), r"(?<![^\s>])(USER|ASSISTANT):", r"</s>|<s>"),
    "plain": template(
        "### User and ### Assistant", ("### User:", "### Assistant:"), r"(?m)^### (User|Assistant|System):\n?", r"</s>"
    ),
    "human": template("Human and Assistant", ("Human: ", "Assistant:"), r"(?m)^(Human|Assistant):", r"<\|endoftext\|>"),
}

HINTS = ("<|", "[/INST]", "<start_of_turn>", "### ", "ASSISTANT:", "Assistant:")
"""One of these is in every text that a template wrote: most texts need no closer look."""

ROLES = {
    "user": "user",
    "[INST]": "user",
    "Instruction": "user",
    "Input": "user",
    "USER": "user",
    "User": "user",
    "Human": "user",
    "System": "system",
    "system": "system",
}


@dataclass(frozen=True)
class Found:
    """The template that most texts are written in. `count` of the `total` texts hold it."""

    key: str
    label: str
    count: int
    total: int


def template_of(text: str) -> str:
    """The key of the template that a whole text is written in, otherwise an empty text."""
    if not any(hint in text for hint in HINTS):
        return ""
    for key, kind in TEMPLATES.items():
        if all(sign in text for sign in kind.signs):
            roles = {ROLES.get(head.group(1), "assistant") for head in kind.heads.finditer(text)}
            if roles >= {"user", "assistant"}:
                return key
    return ""


def find_template(texts: Iterable[str]) -> Found | None:
    """The template that more than half of the texts are written in, with the counts; None when there is none."""
    total = 0
    counts: Counter[str] = Counter()
    for text in texts:
        total += 1
        counts[template_of(text)] += 1
    key, count = next(((key, count) for key, count in counts.most_common() if key), ("", 0))
    return Found(key, TEMPLATES[key].label, count, total) if count > total / 2 else None


def take_apart(text: str, key: str) -> list[Message]:
    """The turns of a text that is written in the template `key`: what stands between its signs, which are taken out.

    What comes before the first turn is the system turn, except Alpaca's own preface. Empty turns are dropped at the end.
    """
    kind = TEMPLATES[key]
    heads = list(kind.heads.finditer(text))
    starts = [head.start() for head in heads] + [len(text)]
    before = kind.ends.sub("", text[: starts[0]]).strip()
    messages = [turn("system", before)] if before and not before.startswith(PREFACE) else []
    for head, end in zip(heads, starts[1:], strict=True):
        role = ROLES.get(head.group(1), "assistant")
        said = kind.ends.sub("", text[head.end() : end]).strip()
        if role == "user" and key == "llama2":
            told, said = without_block(said)
            messages += [turn("system", told)] if told else []
        if messages and role == messages[-1]["role"] == "user":  # Alpaca's instruction and its input
            messages[-1] = turn("user", "\n\n".join(filter(None, (messages[-1]["content"], said))))
        else:
            messages.append(turn(role, said))
    while messages and not messages[-1]["content"]:
        messages.pop()
    return messages


def without_block(said: str) -> tuple[str, str]:
    """What Llama 2's template puts between its signs of a system turn, and the question behind it."""
    opening, closing = SYSTEM_BLOCK
    if not said.startswith(opening) or closing not in said:
        return "", said
    told, _, asked = said.removeprefix(opening).partition(closing)
    return told.strip(), asked.strip()
