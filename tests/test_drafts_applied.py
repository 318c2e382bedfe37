"""The rows after the edits are kept from one look to the next, and are the same as those made from the beginning."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.data.edits import apply
from studio.datasets import DatasetStore
from studio.drafts import Drafts, applied
from studio.workspace import Workspace
from tests.test_draft_edits import begin, pair


@pytest.fixture
def drafts(tmp_path: Path) -> Drafts:
    workspace = Workspace(tmp_path / "w")
    return Drafts(workspace, DatasetStore(workspace))


def test_a_look_without_a_change_applies_nothing(drafts: Drafts, monkeypatch: pytest.MonkeyPatch) -> None:
    draft_id = begin(drafts)
    drafts.remove_rows(draft_id, [0, 7])
    first = drafts.open(draft_id)
    monkeypatch.setattr(applied, "apply", None)
    monkeypatch.setattr(applied, "carry_over", None)
    again = drafts.open(draft_id)
    assert again.rows is first.rows and again.splits is first.splits


def test_a_change_goes_on_from_the_rows_before_it(drafts: Drafts, monkeypatch: pytest.MonkeyPatch) -> None:
    draft_id, used = begin(drafts), []
    for row in range(6):
        drafts.change_row(draft_id, row, pair(f"Question {row}?", f"Better {row}."))

    def counted(examples, edits, before=None):
        used.append(len(edits))
        return apply(examples, edits, before)

    monkeypatch.setattr(applied, "apply", counted)
    more = drafts.remove_rows(draft_id, [2])
    added = drafts.add_row(draft_id, pair("New?", "Yes."))
    assert used == [1, 1], "the six edits before are not applied again"
    undone = drafts.undo(draft_id)
    assert undone.rows == more.rows and undone.splits == more.splits and used == [1, 1, 7]
    drafts.redo(draft_id)
    drafts.share_out(draft_id, validation=0.3, seed=1)
    kept_rows = drafts.open(draft_id)
    fresh = Drafts(drafts.workspace, drafts.datasets).open(draft_id)
    assert kept_rows.rows == fresh.rows == added.rows and kept_rows.splits == fresh.splits
    other = begin(drafts)
    assert len(drafts.open(other).rows) == 20 and drafts.open(draft_id).rows == added.rows
