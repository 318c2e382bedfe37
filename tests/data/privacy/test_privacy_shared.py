"""What is found in sentences with known truth, and what is reported in data without personal data. Floors, not goals."""

from __future__ import annotations

import pytest

from studio.data.privacy.scan import scan_rows
from tests.benchmarks import privacy
from tests.data.shared import SHARED, needs_shared

pytestmark = needs_shared

FLOORS = {  # kind: recall and precision, a little below what `python -m tests.benchmarks.privacy` prints
    "PERSON": (0.62, 0.84),
    "ADDRESS": (0.58, 0.95),
    "PHONE_NUMBER": (0.9, 0.9),
    "CREDIT_CARD": (0.95, 0.95),
    "US_SSN": (1.0, 1.0),
    "EMAIL_ADDRESS": (1.0, 1.0),
    "IP_ADDRESS": (1.0, 1.0),
    "all": (0.68, 0.9),
}


def test_recall_and_precision_hold_their_floors() -> None:
    scores = privacy.against_truth(SHARED)
    assert scores["all"].spans == 128
    low = {
        kind: (score.recall, score.precision) for kind, score in scores.items() if (score.recall, score.precision) < FLOORS[kind]
    }
    assert not low
    assert all(scores[kind].precision >= precision for kind, (_, precision) in FLOORS.items())


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("customer_service/clinc150_intents_3000.csv", 1),
        ("customer_service/tech_support_qa.csv", 0),
        ("prose/alice_in_wonderland.txt", 0),
        ("documents/opensource_guide_en.md", 1),
        ("multilingual/xquad_es_274.json", 0),
        ("qa/squad_dev_flat_400.csv", 0),
    ],
)
def test_hardly_anything_but_names_is_reported_in_clean_data(name: str, most: int) -> None:
    counts = scan_rows(privacy.examples(SHARED / name)).counts
    assert sum(count for kind, count in counts.items() if "name" not in kind) <= most, counts
