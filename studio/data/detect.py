"""What the columns mean: found by their names, otherwise by their content, always with a reason and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from studio.data.names import KINDS, exactly, loosely, words_of
from studio.data.readers.reading import Reading, is_number
from studio.errors import StudioError

Sure = Literal["certain", "likely", "guess"]

SAMPLE = 500  # rows looked at
FEW = 20  # different values a list of labels may always have
SAME = 5  # rows from which on a column that always says the same says nothing
SHORT = 60  # characters; a label is a word or two


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

FORMATS: dict[str, Format] = {
    item.key: item
    for item in (
        Format("pairs", "Questions and answers", (Role("question", "Question"), Role("answer", "Answer"), SYSTEM)),
        Format(
            "instruction",
            "Instructions with an optional text to work on",
            (Role("instruction", "Instruction"), Role("input", "Text to work on", False), Role("output", "Answer"), SYSTEM),
        ),
        Format("prompt", "Beginnings and how they go on", (Role("prompt", "Beginning"), Role("completion", "Rest"))),
        Format("messages", "Chats (OpenAI style)", (Role("messages", "Chat"), SYSTEM, Role("answer", "Last answer", False))),
        Format(
            "sharegpt",
            "Chats (ShareGPT style)",
            (Role("conversations", "Chat"), SYSTEM, Role("answer", "Last answer", False)),
        ),
        Format("labels", "Texts to sort", (Role("text", "Text"), Role("label", "Category"))),
        Format("text", "Plain text, learned as it is", (Role("text", "Text"),)),
    )
}


@dataclass(frozen=True)
class Mapping:
    """Which column plays which role of a format, how sure that is, and why."""

    format: str
    columns: dict[str, str] = field(default_factory=dict)
    sure: Sure = "guess"
    reason: str = ""


@dataclass(frozen=True)
class Shape:
    """What the values of one column look like, over the rows that have one."""

    name: str
    texts: float
    mean_length: float
    distinct: int
    filled: int

    @property
    def is_text(self) -> bool:
        """Whether the column holds words rather than numbers, links or dates."""
        return self.texts >= 0.8

    @property
    def is_label(self) -> bool:
        """Whether a few short values come again and again."""
        return 1 < self.distinct <= max(FEW, self.filled // 3) and self.mean_length <= SHORT


def detect(reading: Reading) -> Mapping:
    """The most likely meaning of the columns. Raises StudioError when no column holds text."""
    found = by_chats(reading)
    if found:
        return found
    shapes = {column: shape_of(reading, column) for column in reading.columns}
    if reading.is_document:
        return Mapping("text", {"text": "text"}, "certain", "The file is a document without questions and answers.")
    return by_names(shapes) or by_shape(shapes)


def by_chats(reading: Reading) -> Mapping | None:
    """A column that holds whole conversations."""
    for column in reading.columns:
        values = [row[column] for row in reading.rows[:SAMPLE] if row.get(column)]
        turns = [value[0] for value in values if isinstance(value, list) and value and isinstance(value[0], dict)]
        if not turns or len(turns) < len(values) / 2:
            continue
        for key, role, sign in (("messages", "messages", "role"), ("sharegpt", "conversations", "from")):
            if sum(sign in turn for turn in turns) <= len(turns) / 2:
                continue
            columns = {role: column}
            more = {words: name for name in reading.columns for words in (name.lower(),) if words in ("system", "chosen")}
            reason = f"The column “{column}” holds chats whose turns are named by “{sign}”."
            if "system" in more:
                columns["system"] = more["system"]
            if "chosen" in more:
                columns["answer"] = more["chosen"]
                reason += " The answers marked as chosen are learned; the rejected ones are not used."
            return Mapping(key, columns, "certain" if exactly(column, role) else "likely", reason)
    return None


def by_names(shapes: dict[str, Shape]) -> Mapping | None:
    """A format whose parts are named by the columns."""
    texts = [name for name, shape in shapes.items() if shape.is_text]
    usable = [name for name, shape in shapes.items() if shape.is_text or not shape.filled]
    valued = [name for name, shape in shapes.items() if shape.filled]
    answer, answer_exact = pick(valued, "answer")
    system = pick(texts, "system", loose=False)[0]
    extra = {"system": system} if system else {}
    instruction = pick(texts, "instruction", loose=False)[0]
    context = pick(usable, "context", loose=False)[0]
    given = pick([name for name in usable if name != answer], "input", loose=False)[0]
    if instruction and answer and answer != instruction:
        columns = {"instruction": instruction, "input": given or context, "output": answer}
        columns = {role: name for role, name in columns.items() if name} | extra
        return Mapping("instruction", columns, "certain", called(columns))
    prompt = pick(texts, "prompt", loose=False)[0]
    completion = next((name for name in valued if name.strip().lower() == "completion"), "")
    if prompt and completion:
        columns = {"prompt": prompt, "completion": completion}
        return Mapping("prompt", columns, "certain", called(columns))
    question, question_exact = pick([name for name in texts if name != answer], "question")
    question, question_exact = (question, question_exact) if question else (prompt or given, bool(prompt or given))
    if question and answer and context:
        columns = {"instruction": question, "input": context, "output": answer} | extra
        return Mapping("instruction", columns, "certain" if question_exact and answer_exact else "likely", called(columns))
    if question and answer:
        columns = {"question": question, "answer": answer} | extra
        return Mapping("pairs", columns, "certain" if question_exact and answer_exact else "likely", called(columns))
    label = pick([name for name in valued if shapes[name].is_label], "label", loose=False)[0]
    text, named = pick([name for name in texts if name != label], "text")
    if label and (text or question or prompt):
        columns = {"text": text or question or prompt, "label": label}
        return Mapping("labels", columns, "certain" if named and not question else "likely", called(columns))
    if text and answer and text != answer:
        columns = {"question": text, "answer": answer} | extra
        return Mapping("pairs", columns, "likely", called(columns))
    return None


def by_shape(shapes: dict[str, Shape]) -> Mapping:
    """The meaning of columns whose names say nothing. Raises StudioError when none holds text."""
    told = [shape for shape in shapes.values() if shape.is_text and (shape.distinct > 1 or shape.filled < SAME)]
    texts = sorted(told, key=lambda shape: -shape.mean_length)
    if not texts:
        raise StudioError(
            "No column holds text to learn from.",
            f"The columns are {', '.join(shapes)[:200]}.",
            "Give each row a question and an answer, each in a column of its own.",
        )
    if len(texts) == 1:
        only = texts[0].name
        return Mapping("text", {"text": only}, "guess", f"“{only}” is the only column that holds text.")
    first, second = texts[:2]
    sure: Sure = "likely" if len(texts) == 2 else "guess"
    varied = first.filled >= 8 and first.distinct > first.filled / 2
    if varied and second.is_label and second.distinct <= max(2, second.filled // 4):
        reason = f"“{second.name}” holds {second.distinct} different short values that come again and again."
        return Mapping("labels", {"text": first.name, "label": second.name}, sure, reason)
    question, answer = second.name, first.name
    order = list(shapes)
    if first.mean_length < 1.1 * second.mean_length:  # alike: then people write the question first
        question, answer = sorted((question, answer), key=order.index)
        reason = f"The texts in “{question}” and “{answer}” are about equally long; the first is taken as the question."
    else:
        reason = f"The texts in “{answer}” are longer than those in “{question}”, so they are taken as the answers."
    return Mapping("pairs", {"question": question, "answer": answer}, sure, reason)


def pick(columns: list[str], kind: str, *, loose: bool = True) -> tuple[str, bool]:
    """The column that is called by a name of `kind`, the most telling name first, and whether it is exactly that name."""
    named = {words_of(column): column for column in reversed(columns)}
    if exact := next((named[word] for word in KINDS[kind] if word in named), ""):
        return exact, True
    return (next((column for column in columns if loosely(column, kind)), "") if loose else ""), False


def called(columns: dict[str, str]) -> str:
    """The reason for a mapping by names."""
    names = [f"“{name}”" for name in columns.values()]
    return f"The columns are called {', '.join(names[:-1])} and {names[-1]}."


def shape_of(reading: Reading, column: str) -> Shape:
    """What the values of a column look like, in the first rows."""
    values = [row.get(column) for row in reading.rows[:SAMPLE]]
    filled = [value for value in values if value is not None and str(value).strip()]
    shown = [str(value).strip() for value in filled]
    count = max(1, len(filled))
    return Shape(
        column,
        sum(map(is_words, filled)) / count,
        sum(map(len, shown)) / count,
        len(set(shown)),
        len(filled),
    )


def is_words(value: Any) -> bool:
    """Whether a value is text with letters in it, no link and no identifier such as 56beb434."""
    if not isinstance(value, str) or is_number(value):
        return False
    plain = value.strip()
    if len(plain) >= 8 and " " not in plain and plain.isascii() and sum(map(str.isdigit, plain)) > 2:
        return False
    return any(char.isalpha() for char in plain) and not plain.lower().startswith(("http://", "https://", "www."))
