"""Conversations as the text a model reads, through the tokenizer's own chat template, with what is learned marked.

The template is rendered twice: with the messages, and with stand-ins that show where each message lands. The last answer
is put right behind what chat generates from, so that training and chat agree even for templates that write history
differently from the newest turn. Spans are pairs of character positions, end excluded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from studio.data.markers import TEXT_MARKERS, defuse, pattern_of
from studio.errors import StudioError

Message = dict[str, str]
Span = tuple[int, int]

ROLES = ("system", "user", "assistant")

TEMPLATE_ERRORS = (
    TemplateError,
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    AssertionError,
)
MOST_SHAPES = 256  # remembered role sequences; more are rendered again


class Refused(Exception):
    """The template cannot render this conversation. The message is a sentence for the person."""


@dataclass(frozen=True)
class Rendered:
    """Text for the tokenizer and the spans in it that are learned."""

    text: str
    learned: tuple[Span, ...]


class Renderer:
    """Renders conversations with one tokenizer's template. Raises StudioError when the template is unusable.

    Attributes:
        closing: What ends an answer, up to and with its end-of-turn token, such as "<|im_end|>".
        final: The same for the last answer; the end-of-text token stands in where the template ends answers with nothing.
        marks: Finds the tokenizer's own added tokens in a text.
        folds: Whether the template has no system turn, so that its text is put before the first question.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.opening = opening_of(tokenizer)
        self.template = tokenizer.get_chat_template()
        added = list(tokenizer.added_tokens_decoder.values())
        special = [str(token) for token in added if token.special] + list(tokenizer.all_special_tokens)
        self.marks = pattern_of([str(token) for token in added] + special)
        self._forbidden = pattern_of(special + [marker for marker in TEXT_MARKERS if marker in self.template])
        # tokens matched after the text was normalised could be spelled in ways that only the normaliser reveals
        late = any(token.special and token.normalized for token in added)
        self._normalizer = getattr(getattr(tokenizer, "backend_tokenizer", None), "normalizer", None) if late else None
        self._shapes: dict[tuple[tuple[str, ...], bool], list[str]] = {}
        self._probe()

    def _probe(self) -> None:
        """Learn from a small conversation what opens and closes an answer, and whether a system turn is shown."""
        try:
            self._invites = self._shape(("user",), True)[-1]
            between, after = self._shape(("user", "assistant"), False)[1:]
        except Refused as error:
            raise StudioError(
                "This model's chat template cannot be used.", str(error), "Choose another model in step 2."
            ) from error
        self._lead = between.removeprefix(self._invites) if between.startswith(self._invites) else ""
        if found := self.marks and self.marks.search(after):
            self.closing = self.final = after[: found.end()]
        else:
            self.closing = after.rstrip()
            self.final = self.closing + (self.tokenizer.eos_token or "")
        try:
            self._shape(("system", "user"), True)
            self.folds = False
        except Refused:
            self.folds = True

    def prepare(self, messages: Sequence[Message]) -> list[Message]:
        """The messages as the template gets them: stripped, defused, the system turn folded where there is no such turn.

        Raises Refused for an unknown role or a content that is not text.
        """
        ready: list[Message] = []
        for message in messages:
            role, content = message.get("role"), message.get("content")
            if role not in ROLES:
                raise Refused(f"There is an unknown role, “{str(role)[:40]}”.")
            if not isinstance(content, str):
                raise Refused("A message holds something that is not text.")
            ready.append({"role": role, "content": self._harmless(content)})
        if self.folds:
            told = "\n\n".join(message["content"] for message in ready if message["role"] == "system")
            ready = [message for message in ready if message["role"] != "system"]
            first = next((index for index, message in enumerate(ready) if message["role"] == "user"), None)
            if told and first is not None:
                ready[first] = {"role": "user", "content": f"{told}\n\n{ready[first]['content']}"}
        return ready

    def prompt(self, messages: Sequence[Message]) -> Rendered:
        """What an answer is generated from; the answers in it are marked as learned. Raises Refused."""
        return self._render(self.prepare(messages))

    def conversation(self, messages: Sequence[Message]) -> Rendered:
        """A whole training conversation; it must end with an answer. Raises Refused."""
        ready = self.prepare(messages)
        if not ready or ready[-1]["role"] != "assistant":
            raise Refused("There is no answer to learn from.")
        if len(ready) == 1:
            raise Refused("There is no question before the answer.")
        prompt = self._render(ready[:-1])
        lead = self._lead if ready[-2]["role"] == "user" else ""
        text = f"{prompt.text}{lead}{ready[-1]['content']}{self.final}"
        return Rendered(text, (*prompt.learned, (len(prompt.text), len(text))))

    def _render(self, ready: Sequence[Message]) -> Rendered:
        """The prompt for prepared messages, with the span of every answer and its end-of-turn token."""
        text = self._apply(ready, True)
        places = self._places(ready, text)
        learned, before = [], 0
        for index, (message, (start, end)) in enumerate(zip(ready, places, strict=True)):
            if message["role"] == "assistant":
                asked = index > 0 and ready[index - 1]["role"] == "user"
                if asked and text.startswith(self._invites, before) and before + len(self._invites) <= start:
                    start = before + len(self._invites)
                closing = len(self.closing) if text.startswith(self.closing, end) else 0
                learned.append((start, end + closing))
            before = end
        return Rendered(text, tuple(learned))

    def _places(self, ready: Sequence[Message], text: str) -> list[Span]:
        """Where each message's content stands in `text`. Raises Refused when one cannot be found."""
        pieces = self._shape(tuple(message["role"] for message in ready), True)
        contents = [message["content"] for message in ready]
        woven = "".join(part for pair in zip(pieces, [*contents, ""], strict=True) for part in pair)
        exact = woven == text
        places, cursor = [], 0
        for piece, content in zip(pieces, contents, strict=False):
            # a template that looks into the content shifts the pieces: then the content is looked for, in order
            start = cursor + len(piece) if exact else text.find(content, cursor)
            if start < 0:
                raise Refused("The model's chat template changes this conversation, so the answer cannot be found in it.")
            cursor = start + len(content)
            places.append((start, cursor))
        return places

    def _shape(self, roles: tuple[str, ...], invite: bool) -> list[str]:
        """What the template writes before, between and after messages of these roles: one more piece than roles."""
        if (roles, invite) in self._shapes:
            return self._shapes[roles, invite]
        stand_ins = [f"zx{index}xz" for index in range(len(roles))]
        text = self._apply([{"role": role, "content": name} for role, name in zip(roles, stand_ins, strict=True)], invite)
        pieces = re.split("|".join(sorted(stand_ins, key=len, reverse=True)), text)
        if re.findall(r"zx\d+xz", text) != stand_ins:
            raise Refused("The model's chat template leaves out or repeats a message.")
        if len(self._shapes) < MOST_SHAPES:
            self._shapes[roles, invite] = pieces
        return pieces

    def _apply(self, messages: Sequence[Message], invite: bool) -> str:
        """The template's text. Errors of the template become Refused."""
        try:
            return self.tokenizer.apply_chat_template(
                list(messages),
                chat_template=self.template,
                tokenize=False,
                add_generation_prompt=invite,
                enable_thinking=False,  # templates of thinking models: answers are taught as they stand
            )
        except TEMPLATE_ERRORS as error:
            reason = " ".join(str(error).split())[:160]
            raise Refused(f"The model's chat template refuses this conversation ({reason}).") from error

    def _harmless(self, content: str) -> str:
        """Text that cannot end or begin a turn, without lone surrogates and outer white space."""
        content = defuse(content.encode("utf-8", "replace").decode("utf-8").strip(), self._forbidden)
        if self._normalizer and self._forbidden:
            normal = self._normalizer.normalize_str(content)
            if self._forbidden.search(normal):
                content = defuse(normal, self._forbidden).strip()
        return content


def opening_of(tokenizer: Any) -> str:
    """The beginning-of-text token where the tokenizer itself puts one before a plain text; else an empty text."""
    if tokenizer.bos_token_id is None:
        return ""
    return tokenizer.bos_token if tokenizer("x")["input_ids"][:1] == [tokenizer.bos_token_id] else ""
