"""SQuAD: articles of paragraphs, each with a context and questions about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from studio.data.shapes.about import Hopeless

NOTE = "Each question became a row with its text and its first answer. Questions without an answer are left out."
COUNTED = True
UNANSWERABLE = "The question is marked as one that its text does not answer."


def fits(item: Any) -> bool:
    """Whether an item is an article."""
    return isinstance(item, dict) and isinstance(item.get("paragraphs"), list)


def rows(item: dict[str, Any]) -> Iterator[dict[str, Any] | Hopeless]:
    """Question, context and first answer of every question of an article."""
    for paragraph in item["paragraphs"]:
        asked = paragraph.get("qas") if isinstance(paragraph, dict) else None
        for qa in asked if isinstance(asked, list) else []:
            if not isinstance(qa, dict):
                yield Hopeless("It is not a question with answers.")
                continue
            question = qa.get("question", "")
            answers = qa.get("answers")
            first = answers[0] if isinstance(answers, list) and answers else None
            if qa.get("is_impossible") is True or answers == []:
                yield Hopeless(UNANSWERABLE, str(question)[:200])
                continue
            answer = first.get("text", "") if isinstance(first, dict) else ""
            yield {"question": question, "context": paragraph.get("context", ""), "answer": answer}
