"""Names of drafts and of their files, and columns for another format."""

from __future__ import annotations

import re
from pathlib import Path

from studio.data.detect import FORMATS, Mapping, detect
from studio.data.read import Reading
from studio.drafts.records import Draft


def columns_for(chosen: str, reading: Reading, before: Mapping) -> dict[str, str]:
    """Columns for the roles of another format: what detection says for it, what had the same role, else the next free one."""
    found = detect(reading)
    if found.format == chosen:
        return dict(found.columns)
    free = list(reading.columns)
    columns: dict[str, str] = {}
    for role in FORMATS[chosen].roles:
        if (column := before.columns.get(role.key)) in free:
            columns[role.key] = column
            free.remove(column)
    for role in FORMATS[chosen].roles:
        if role.required and role.key not in columns and free:
            columns[role.key] = free.pop(0)
    return columns


def columns_with(role: str, column: str, before: Mapping) -> dict[str, str]:
    """The columns after one is chosen for a role; the role that had it takes what this one had. An empty column takes none."""
    columns = {**before.columns, role: column}
    for other, taken in before.columns.items():
        if taken == column and other != role:
            columns[other] = before.columns.get(role, "")
    return {key: value for key, value in columns.items() if value}


def nice_name(draft: Draft) -> str:
    """The file's name without its ending, made readable: "Customer questions" of customer_questions.xlsx."""
    stem = Path(draft.name).stem.replace("_", " ").replace("-", " ").strip()
    return stem[:1].upper() + stem[1:]


def safe_file_name(name: str, suffix: str) -> str:
    """A name for the copy on disk that still reads like the person's own, so that messages about the file can name it."""
    stem = re.sub(r"[^\w ()-]+", "_", Path(name).stem).strip(" _")[:60] or "file"
    suffix = suffix.lower()
    return stem + (suffix if suffix[1:].isalnum() and len(suffix) <= 9 else "")
