"""What the scan for personal data finds and misses, what it reports wrongly, and how fast it is.

    python -m tests.benchmarks.privacy [--missed] [--rows N]

Truth are the spans of the development data's `safety/presidio_pii_small.json` (100 sentences made by a generator, MIT). A span is
found when a hit overlaps it, and a hit is right when it overlaps a span of its kind; a hit on a place or a firm counts as right
for an address only where it overlaps an address. False alarms are hits in data sets that hold little or no personal data.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.data.convert import convert
from studio.data.detect import detect
from studio.data.privacy.scan import scan, scan_rows
from studio.data.read import read
from studio.records import Example
from tests.data.shared import SHARED

TRUTH = "safety/presidio_pii_small.json"
KINDS = {
    "PERSON": ("name", "first_name"),
    "ADDRESS": ("address",),
    "PHONE_NUMBER": ("phone",),
    "CREDIT_CARD": ("card",),
    "US_SSN": ("national_id",),
    "EMAIL_ADDRESS": ("email",),
    "IP_ADDRESS": ("ip",),
}
"""The truth's kinds that are searched for here. Places, firms, dates alone, titles, web sites and licences are not."""
CLEAN = (
    "qa/gsm8k_train_4500.jsonl",
    "customer_service/clinc150_intents_3000.csv",
    "customer_service/cdc_faq.csv",
    "customer_service/tech_support_qa.csv",
    "prose/alice_in_wonderland.txt",
    "prose/candide_fr_latin1.txt",
    "documents/opensource_guide_en.md",
    "documents/opensource_guide_es.md",
    "multilingual/chat_es.csv",
    "multilingual/xquad_es_274.json",
    "qa/squad_dev_flat_400.csv",
    "instruction/oasst_openai_messages.jsonl",
    "glue/qnli_dev_1500.tsv",
)

WORDS = (
    "the order was sent to our shop and we will look at it again when there is time for that so please wait until Friday if "
    "you can since the box with 3 cups and a plate for 12.50 came late What should I do about this Our team helps you"
)
"""What generated rows are made of."""


@dataclass
class Score:
    """Spans and hits of one kind."""

    spans: int = 0
    found: int = 0
    hits: int = 0
    right: int = 0
    missed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.found / self.spans if self.spans else 1.0

    @property
    def precision(self) -> float:
        return self.right / self.hits if self.hits else 1.0


def overlap(one: Any, other: Any) -> bool:
    return one.start < other["end_position"] and other["start_position"] < one.end


def against_truth(shared: Path = SHARED) -> dict[str, Score]:
    """Scores by the truth's kinds, and `all` of them together."""
    scores = {kind: Score() for kind in (*KINDS, "all")}
    for row in json.loads((shared / TRUTH).read_text(encoding="utf-8")):
        hits = scan(row["full_text"])
        for kind, ours in KINDS.items():
            spans = [span for span in row["spans"] if span["entity_type"] == kind]
            mine = [one for one in hits if one.kind in ours]
            missed = [span for span in spans if not any(overlap(one, span) for one in mine)]
            wrong = [one for one in mine if not any(overlap(one, span) for span in spans)]
            for score in (scores[kind], scores["all"]):
                score.spans += len(spans)
                score.found += len(spans) - len(missed)
                score.hits += len(mine)
                score.right += len(mine) - len(wrong)
                score.missed += [span["entity_value"] for span in missed]
                score.wrong += [one.text for one in wrong]
    return scores


def examples(path: Path) -> tuple[Example, ...]:
    reading = read(path)
    return convert(reading, detect(reading)).examples


def alarms(shared: Path = SHARED) -> dict[str, tuple[int, Counter[str]]]:
    """Rows and hits by kind in data sets that hold little personal data."""
    found = {}
    for name in CLEAN:
        rows = examples(shared / name)
        found[name] = len(rows), scan_rows(rows).counts
    return found


def generated(count: int, length: int = 200, share: float = 0.2, seed: int = 0) -> list[str]:
    """Texts of plain words; a share of them holds one personal value."""
    draw = random.Random(seed)
    values = (
        "anna.mueller@web.de",
        "+49 30 901820",
        "DE89370400440532013000",
        "My name is Anna Müller",
        "12 Baker Street",
        "Anna",
    )
    texts = []
    for _ in range(count):
        text = " ".join(draw.choices(WORDS.split(), k=length // 4))[:length]
        texts.append(f"{text[: length - 30]} {draw.choice(values)}." if draw.random() < share else text)
    return texts


def speed(count: int = 100_000) -> dict[str, float]:
    """Seconds of the processor and by the clock, for rows without personal data and with it in every fifth."""
    scan("Anna")  # the lists of names are read once
    figures = {}
    for label, share in (("plain", 0.0), ("every fifth holds some", 0.2)):
        rows = [Example(text=text) for text in generated(count, share=share)]
        size = sum(len(row.text.encode()) for row in rows)
        begin, clock = time.process_time(), time.perf_counter()
        scan_rows(rows)
        took, clock = time.process_time() - begin, time.perf_counter() - clock
        figures[label] = took
        print(
            f"{label:24} {count:,} rows in {took:.1f} s: {count / took:,.0f} rows/s, {size / took / 1e6:.1f} MB/s ({clock:.1f} s)"
        )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--missed", action="store_true", help="name what was missed and what was wrong")
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the timing")
    options = parser.parse_args()
    print(f"{'kind':16}{'spans':>6}{'found':>6}{'recall':>8}{'hits':>6}{'right':>6}{'precision':>10}")
    for kind, score in against_truth().items():
        print(f"{kind:16}{score.spans:6}{score.found:6}{score.recall:8.2f}{score.hits:6}{score.right:6}{score.precision:10.2f}")
        if options.missed and kind != "all":
            print("    missed:", score.missed, "\n    wrong: ", score.wrong)
    print()
    for name, (rows, counts) in alarms().items():
        print(f"{name:48}{rows:6,} rows ", dict(counts))
    print()
    speed(options.rows)


if __name__ == "__main__":
    main()
