"""What was proposed for a draft, kept beside it, so that closing the page loses nothing.

    cache/draft-<id>/proposals.jsonl

One line for each proposal and one for each decision, appended in their order; the last decision counts. A line that was cut
by a crash is passed over.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from studio.errors import NotFound, StudioError
from studio.inference.pairs import alike
from studio.inference.propose import Proposal
from studio.records import Example, Provenance, Record
from studio.workspace import append_json, json_lines

FILE = "proposals.jsonl"
MOST_KEPT = 20_000  # lines of the file; with passages of a few thousand characters about 60 MB

Decision = Literal["open", "kept", "thrown away"]
DECISIONS: tuple[Decision, ...] = ("open", "kept", "thrown away")


@dataclass(frozen=True)
class Kept(Record):
    """One proposal as it is stored. `number` counts from 1 in the order they came; `writer` is the model's name."""

    id: str
    number: int
    question: str
    answer: str
    heading: str
    passage: str
    place: str
    grounded: float
    sure: bool
    writer: str
    state: Decision = "open"

    @property
    def example(self) -> Example:
        """The pair as a training example; its row is the proposal's number, its file the place in the document."""
        turns = ({"role": "user", "content": self.question}, {"role": "assistant", "content": self.answer})
        return Example(messages=turns, source_row=self.number, source_file=self.place)


class Proposals:
    """The proposals of one draft. Cheap to make: everything is on the disk."""

    def __init__(self, draft_folder: Path) -> None:
        self.path = draft_folder / FILE

    def all(self) -> list[Kept]:
        """Every proposal with what was decided about it, in the order they came."""
        found: dict[str, dict[str, Any]] = {}
        for line in self._lines():
            if "question" in line:
                found[line["id"]] = line
            elif line["id"] in found and line.get("state") in DECISIONS:
                found[line["id"]]["state"] = line["state"]
        return [Kept.from_json({**values, "number": number}) for number, values in enumerate(found.values(), start=1)]

    def add(self, proposals: Iterable[Proposal], writer: str) -> int:
        """Append what is not there yet; how many that were. A question that was asked of the same passage is not added twice."""
        known = {(alike(item.question), alike(item.passage)) for item in self.all()}
        lines = []
        for item in proposals:
            key = (alike(item.question), alike(item.passage.text))
            if key in known:
                continue
            known.add(key)
            about = item.passage
            lines.append(
                {
                    "id": secrets.token_hex(6),
                    "question": whole(item.question),
                    "answer": whole(item.answer),
                    "heading": whole(about.heading),
                    "passage": whole(about.text),
                    "place": str(about.place or ""),
                    "grounded": round(item.grounded, 3),
                    "sure": item.sure,
                    "writer": writer,
                }
            )
        if len(known) > MOST_KEPT:
            raise StudioError(
                "No more examples are proposed.", f"There are {MOST_KEPT:,} already.", "Decide about those first, and save them."
            )
        self._append(lines)
        return len(lines)

    def accept(self, ids: Iterable[str]) -> list[Example]:
        """Keep these; the examples they make, in the order of the proposals. Raises NotFound for one that is not there."""
        chosen = set(ids)
        self.decide(chosen, "kept")
        return [item.example for item in self.all() if item.id in chosen]

    def decide(self, ids: Iterable[str], state: Decision) -> None:
        """Keep proposals, throw them away, or open them again. Raises NotFound for one that is not there; then none changes."""
        if state not in DECISIONS:
            raise StudioError("Nothing was decided.", "This decision is not known.", "Keep it or throw it away.")
        chosen = list(dict.fromkeys(ids))
        if set(chosen) - {item.id for item in self.all()}:
            raise NotFound("This proposal is gone.", "Its draft was closed or begun anew.", "Load the page again.")
        self._append([{"id": item, "state": state} for item in chosen])

    def kept(self) -> list[Kept]:
        """The proposals a person accepted."""
        return [item for item in self.all() if item.state == "kept"]

    def provenance(self, document: str) -> Provenance:
        """What a data set made of the accepted ones says of itself: that a model wrote them, and from what."""
        kept = self.kept()
        writers = ", ".join(dict.fromkeys(item.writer for item in kept))
        origin = f"Proposed by {writers} from “{document}”, and accepted by a person." if kept else ""
        return Provenance(origin=origin, machine_written=True if kept else None, original_file=document)

    def _lines(self) -> Iterator[dict[str, Any]]:
        return (line for line in json_lines(self.path) if isinstance(line.get("id"), str))

    def _append(self, lines: list[dict[str, Any]]) -> None:
        if not self.path.parent.is_dir():
            raise NotFound("This data is not open any more.", "Its draft was removed.", "Add the file again.")
        for line in lines:
            append_json(self.path, line)


def whole(text: str) -> str:
    """The text without halves of surrogate pairs, which stand for nothing and which no file takes."""
    return text.encode("utf-8", "ignore").decode("utf-8")
