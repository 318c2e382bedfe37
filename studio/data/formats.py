"""The ways to write examples that the app knows, and a mapping of columns to the parts of one of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from studio.errors import StudioError

Sure = Literal["certain", "likely", "guess", "chosen"]


@dataclass(frozen=True)
class Role:
    """One part of an example that a column can give."""

    key: str
    label: str
    required: bool = True


@dataclass(frozen=True)
class Format:
    """A way to write examples. `label` is for the person; `roles` are what columns can be chosen for."""

    key: str
    label: str
    roles: tuple[Role, ...]

    @property
    def required(self) -> tuple[str, ...]:
        """The roles that need a column."""
        return tuple(role.key for role in self.roles if role.required)

    @property
    def optional(self) -> tuple[str, ...]:
        """The roles that may have one."""
        return tuple(role.key for role in self.roles if not role.required)


SYSTEM = Role("system", "What it is told first", required=False)
LAST = Role("answer", "Last answer", required=False)
TOOLS = Role("tools", "Tools it may use", required=False)

FORMATS: dict[str, Format] = {
    item.key: item
    for item in (
        Format("pairs", "Questions and answers", (Role("question", "Question"), Role("answer", "Answer"), SYSTEM)),
        Format(
            "instruction",
            "Instructions with an optional text to work on",
            (Role("instruction", "Instruction"), Role("input", "Text to work on", False), Role("output", "Answer"), SYSTEM),
        ),
        Format(
            "prompt",
            "Beginnings and how they go on",
            (Role("prompt", "Beginning"), Role("completion", "Rest"), Role("wanted", "Learn it only if this is true", False)),
        ),
        Format("messages", "Chats (OpenAI style)", (Role("messages", "Chat"), SYSTEM, LAST, TOOLS)),
        Format("sharegpt", "Chats (ShareGPT style)", (Role("conversations", "Chat"), SYSTEM, LAST, TOOLS)),
        Format("dialogue", "Chats between people", (Role("turns", "Chat"), SYSTEM)),
        Format(
            "labels",
            "Texts to sort",
            (Role("text", "Text"), Role("second", "Second text", required=False), Role("label", "Category")),
        ),
        Format("text", "Plain text, learned as it is", (Role("text", "Text"),)),
    )
}


@dataclass(frozen=True)
class Choices:
    """What a person can settle beside the columns.

    `me` is the speaker that the model learns to be, in chats between people; empty finds one. The words of those in `skip`
    are left out; None finds them. `strip_template` allows to take a chat template apart that is written into the texts;
    without it such rows are left out.
    `tools_as_text` writes the use of tools as text; without it such rows are left out.
    """

    me: str = ""
    skip: tuple[str, ...] | None = None
    strip_template: bool = False
    tools_as_text: bool = True


@dataclass(frozen=True)
class Mapping:
    """Which column plays which role of a format, how sure that is, and why.

    `speakers` counts the turns of each speaker in chats between people, most first. `template` is the key in
    `templates.TEMPLATES` of the chat template that the texts are written in, empty when there is none.
    """

    format: str
    columns: dict[str, str] = field(default_factory=dict)
    sure: Sure = "guess"
    reason: str = ""
    choices: Choices = field(default_factory=Choices)
    speakers: dict[str, int] = field(default_factory=dict)
    template: str = ""

    def to_json(self) -> dict[str, Any]:
        """What `dataset.json` keeps of the mapping: choices only where they are not the usual ones."""
        usual, chosen = vars(Choices()), asdict(self.choices)
        chosen = {key: list(value) if key == "skip" else value for key, value in chosen.items() if value != usual[key]}
        return {"format": self.format, "columns": dict(self.columns)} | ({"choices": chosen} if chosen else {})


def choices_of(values: dict[str, Any]) -> Choices:
    """Choices from plain values, such as those of `Mapping.to_json`. Raises StudioError for unknown or unfit ones."""
    kinds = {"me": str, "skip": (list, tuple), "strip_template": bool, "tools_as_text": bool}
    for key, value in values.items():
        names = value if key == "skip" and isinstance(value, kinds["skip"]) else ()
        if key not in kinds or not isinstance(value, kinds[key]) or not all(isinstance(name, str) for name in names):
            raise StudioError("This cannot be chosen.", f"“{str(key)[:40]}” cannot be set to this.", "Choose again on the page.")
    return Choices(**{key: tuple(value) if key == "skip" else value for key, value in values.items()})
