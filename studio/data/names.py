"""Column names in several wordings and languages, and what they stand for. The reader knows headers by them, too."""

from __future__ import annotations

import re

NAMES: dict[str, str] = {
    "question": "question|questions|q|ask|asked|query|inquiry|enquiry|user|customer|human|problem|request|front|"
    "pregunta|frage|fragen|domanda|pergunta|vraag|вопрос|質問|问题|問題|질문|प्रश्न|سؤال",
    "answer": "answer|answers|a|reply|replies|response|responses|respond|completion|output|bot|assistant|agent|solution|target|"
    "back|respuesta|antwort|antworten|réponse|reponse|risposta|resposta|antwoord|ответ|回答|答え|答案|답변|उत्तर|جواب|إجابة|"
    "entities|slots",
    "instruction": "instruction|instructions|task",
    "context": "context|passage|background",
    "prompt": "prompt|prompts",
    "input": "input|inputs",
    "label": "label|labels|category|categories|intent|class|topic|sentiment|tag|type|"
    "kategorie|categoría|categoria|catégorie|categorie|etiqueta|étiquette",
    "text": "text|message|sentence|utterance|review|comment|email|tweet|texto|texte|nachricht|mensaje|full text",
    "messages": "messages",
    "conversations": "conversations|conversation|dialogue|dialog",
    "system": "system|system prompt",
}
"""Kind of column -> its names, lower case, most telling first, separated by bars."""

SECOND_TEXTS = (
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("text1", "text2"),
    ("sentence a", "sentence b"),
    ("text a", "text b"),
)
"""Pairs of columns, in words, whose texts are sorted together; the first four are those of GLUE."""

KINDS: dict[str, tuple[str, ...]] = {kind: tuple(names.split("|")) for kind, names in NAMES.items()}


def words_of(name: str) -> str:
    """A column name in lower-case words: "Customer_Question" and "customerQuestion" become "customer question"."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", str(name))
    return re.sub(r"[\s_./:*#?!()\[\]-]+", " ", spaced.lower()).strip()


def exactly(name: str, kind: str) -> bool:
    """Whether a column is called by one of the names of `kind`."""
    return words_of(name) in KINDS[kind]


def loosely(name: str, kind: str) -> bool:
    """Whether the last word of a column's name is a name of `kind`: "our reply", "customer question"."""
    words = words_of(name).split()
    return bool(words) and len(words[-1]) > 1 and words[-1] in KINDS[kind]


def is_known(name: str) -> bool:
    """Whether a cell reads like a column name this app knows."""
    return any(exactly(name, kind) or loosely(name, kind) for kind in KINDS)
