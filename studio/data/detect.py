"""What the columns mean: found by their names, otherwise by their content, always with a reason and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from studio.data.convert import TEMPLATED
from studio.data.dialogues import count_speakers, guess_me, guess_skipped, is_dialogue
from studio.data.formats import FORMATS, Choices, Mapping, Sure
from studio.data.names import KINDS, SECOND_TEXTS, exactly, loosely, words_of
from studio.data.readers.reading import Reading, is_number
from studio.data.templates import find_template
from studio.errors import StudioError

__all__ = ["FORMATS", "Choices", "Mapping", "detect", "settle"]

SAMPLE = 500  # rows looked at
FEW = 20  # different values a list of labels may always have
SAME = 5  # rows from which on a column that always says the same says nothing
LOOKED_AT = 1000  # signs of a value; enough to tell what it is, and no more time for one of a hundred million
YES_NO = {"true", "false", "0", "1"}
SHORT = 60  # characters; a label is a word or two
ALWAYS_LABELS = ("label", "intent", "category", "class")  # categories by name, even where every row has the same
CHOSEN_ONLY = "The answers marked as chosen are learned; the rejected ones are not used."
TOOLS_AS_TEXT = "The use of tools is learned as text; nothing in this app runs a tool."


@dataclass(frozen=True)
class Shape:
    """What the values of one column look like, over the rows that have one."""

    name: str
    texts: float
    mean_length: float
    distinct: int
    filled: int
    is_yes_no: bool = False

    @property
    def is_text(self) -> bool:
        """Whether the column holds words rather than numbers, links or dates."""
        return self.texts >= 0.8

    @property
    def is_constant(self) -> bool:
        """Whether all rows say the same short thing."""
        return self.distinct == 1 and self.mean_length <= SHORT

    @property
    def is_label(self) -> bool:
        """Whether a few short values come again and again."""
        return 1 < self.distinct <= max(FEW, self.filled // 3) and self.mean_length <= SHORT


def detect(reading: Reading, choices: Choices | None = None) -> Mapping:
    """The most likely meaning of the columns, with what is chosen beside them. Raises StudioError when none holds text."""
    choices = choices or Choices()
    if reading.is_document:
        reason = "The file is a document without questions and answers."
        return settle(reading, Mapping("text", {"text": "text"}, "certain", reason, choices))
    first = replace(reading, rows=reading.rows[:SAMPLE], row_numbers=reading.row_numbers[:SAMPLE])
    found = by_chats(first) or by_dialogues(first, [name for name in first.columns if is_talk(name)])
    if not found:
        shapes = {column: shape_of(first, column) for column in first.columns}
        found = by_preferences(shapes) or by_names(shapes) or by_dialogues(first, first.columns) or by_shape(shapes)
    return settle(reading, replace(found, choices=choices))


def settle(reading: Reading, mapping: Mapping) -> Mapping:
    """The mapping with what follows from its columns: who speaks, who is learned unless that is chosen, which template."""
    notes = [mapping.reason]
    column = mapping.columns.get("turns")
    if mapping.format == "dialogue" and column in reading.columns:
        speakers = count_speakers(row.get(column) for row in reading.rows)
        usual = reading.me if reading.me in speakers else guess_me(speakers)
        me = mapping.choices.me if mapping.choices.me in speakers else usual
        skip = guess_skipped(speakers, me) if mapping.choices.skip is None else mapping.choices.skip
        notes.append(f"The model learns to answer as “{me[:40]}”.")
        if skip:
            notes.append(f"What “{'”, “'.join(name[:40] for name in skip)}” says is left out.")
        mapping = replace(mapping, speakers=speakers, choices=replace(mapping.choices, me=me, skip=skip))
    cells = [mapping.columns.get(role) for role in TEMPLATED.get(mapping.format, ())]
    texts = ("\n".join(str(row.get(cell) or "") for cell in cells) for row in reading.rows[:SAMPLE]) if cells else ()
    if found := find_template(texts):
        of = f"all {found.total:,}" if found.count == found.total else f"{found.count:,} of {found.total:,}"
        notes.append(f"The chat template “{found.label}” is already written into {of} rows looked at.")
        mapping = replace(mapping, template=found.key)
    return replace(mapping, reason=" ".join(filter(None, notes)))


def by_chats(reading: Reading) -> Mapping | None:
    """A column that holds whole conversations; where answers are ranked, the one before the chosen answer."""
    named = {column.lower(): column for column in reading.columns}
    signs = {column: sign for column in reading.columns if (sign := sign_of(reading, column))}
    chosen, rejected = named.get("chosen", ""), named.get("rejected", "")
    column = next((name for name in signs if name not in (chosen, rejected)), "")
    if chosen in signs and (not column or has_question(reading, chosen)):  # then it is no answer but a chat with one
        column = chosen
    if not column:
        return None
    answer = chosen or (named.get("completion", "") if column.lower() == "prompt" else "")
    tools = next((named[name] for name in ("tools", "functions") if name in named), "")
    key, role = ("messages", "messages") if signs[column] == "role" else ("sharegpt", "conversations")
    more = {"answer": answer if answer != column else "", "system": named.get("system", ""), "tools": tools}
    notes = [
        f"The column “{column}” holds chats whose turns are named by “{signs[column]}”.",
        CHOSEN_ONLY if chosen and rejected else "",
        TOOLS_AS_TEXT if tools else "",
    ]
    columns = {role: column} | {part: name for part, name in more.items() if name}
    return Mapping(key, columns, "certain" if exactly(column, role) else "likely", " ".join(filter(None, notes)))


def has_question(reading: Reading, column: str) -> bool:
    """Whether the chats in a column hold what was asked, too, going by the first of them."""
    chat = next((row[column] for row in reading.rows if isinstance(row.get(column), list) and row[column]), [])
    names = {str(turn.get("role", turn.get("from"))).lower() for turn in chat if isinstance(turn, dict)}
    return bool(names & {"user", "human"})


def sign_of(reading: Reading, column: str) -> str:
    """What names the speaker of the turns in a column of chats: "role" or "from"; empty for any other column."""
    values = [row[column] for row in reading.rows if row.get(column)]
    turns = [value[0] for value in values if isinstance(value, list) and value and isinstance(value[0], dict)]
    if not turns or len(turns) < len(values) / 2:
        return ""
    return next((sign for sign in ("role", "from") if sum(sign in turn for turn in turns) > len(turns) / 2), "")


def by_dialogues(reading: Reading, columns: Sequence[str]) -> Mapping | None:
    """The first of the columns that holds chats between people: turns with a speaker and words."""
    for column in columns:
        if is_dialogue([row[column] for row in reading.rows if row.get(column)], named=is_talk(column)):
            reason = f"The column “{column}” holds chats in which each turn names its speaker."
            return Mapping("dialogue", {"turns": column}, "certain" if is_talk(column) else "likely", reason)
    return None


def is_talk(column: str) -> bool:
    """Whether a column is called a conversation; others may hold pairs of quite another kind."""
    return words_of(column) in ("turns", *KINDS["conversations"])


def by_preferences(shapes: dict[str, Shape]) -> Mapping | None:
    """Two answers to each question, one chosen and one rejected: the chosen one is the answer."""
    named = {words_of(name): name for name, shape in shapes.items() if shape.is_text}
    chosen, rejected = named.get("chosen"), named.get("rejected")
    if not chosen or not rejected:
        return None
    others = {name: shape for name, shape in shapes.items() if name not in (chosen, rejected)}
    found = by_names(others | {"answer": shapes[chosen]})
    if found is None or "answer" not in found.columns.values():
        return Mapping("text", {"text": chosen}, "likely", CHOSEN_ONLY)
    columns = {role: chosen if name == "answer" else name for role, name in found.columns.items()}
    return Mapping(found.format, columns, found.sure, f"{called(columns)} {CHOSEN_ONLY}")


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
        if wanted := next((name for name in valued if name.lower() == "label" and shapes[name].is_yes_no), ""):
            columns["wanted"] = wanted
        return Mapping("prompt", columns, "certain", called(columns))
    question, question_exact = pick([name for name in texts if name != answer], "question")
    question, question_exact = (question, question_exact) if question else (prompt or given, bool(prompt or given))
    if question and answer and context:
        columns = {"instruction": question, "input": context, "output": answer} | extra
        return Mapping("instruction", columns, "certain" if question_exact and answer_exact else "likely", called(columns))
    if question and answer:
        columns = {"question": question, "answer": answer} | extra
        return Mapping("pairs", columns, "certain" if question_exact and answer_exact else "likely", called(columns))
    if found := by_labels(shapes, texts, valued):
        return found
    text = pick(texts, "text")[0]
    if text and answer and text != answer:
        columns = {"question": text, "answer": answer} | extra
        return Mapping("pairs", columns, "likely", called(columns))
    return None


def by_labels(shapes: dict[str, Shape], texts: list[str], valued: list[str]) -> Mapping | None:
    """One or two texts and the category they belong to, named by the columns."""
    label = pick([name for name in valued if shapes[name].is_label], "label", loose=False)[0]
    same = [name for name in valued if words_of(name) in ALWAYS_LABELS and shapes[name].is_constant]
    if not label and not same:
        return None
    label = label or same[0]
    others = [name for name in texts if name != label]
    named = {words_of(name): name for name in reversed(others)}
    if pair := next((pair for pair in SECOND_TEXTS if all(word in named for word in pair)), ()):
        columns = {"text": named[pair[0]], "second": named[pair[1]], "label": label}
        return Mapping("labels", columns, "certain", called(columns))
    question = pick(others, "question")[0]
    text, exact = pick(others, "text")
    text = text or question or next((found for kind in ("prompt", "input") if (found := pick(others, kind, loose=False)[0])), "")
    if not text:
        return None
    columns = {"text": text, "label": label}
    if same and label == same[0]:
        return Mapping("labels", columns, "guess", f"{called(columns)} All rows looked at have the same category.")
    return Mapping("labels", columns, "certain" if exact and not question else "likely", called(columns))


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
    """What the values of a column look like."""
    values = [row.get(column) for row in reading.rows]
    filled = [value for value in values if value is not None and str(value).strip()]
    shown = [str(value).strip() for value in filled]
    count = max(1, len(filled))
    return Shape(
        column,
        sum(map(is_words, filled)) / count,
        sum(map(len, shown)) / count,
        len(set(shown)),
        len(filled),
        bool(shown) and {value.lower() for value in shown} <= YES_NO,
    )


def is_words(value: Any) -> bool:
    """Whether a value is text with letters in it, no link and no identifier such as 56beb434."""
    if not isinstance(value, str) or is_number(value):
        return False
    plain = value.strip()[:LOOKED_AT]
    if len(plain) >= 8 and " " not in plain and plain.isascii() and sum(map(str.isdigit, plain)) > 2:
        return False
    return any(char.isalpha() for char in plain) and not plain.lower().startswith(("http://", "https://", "www."))
