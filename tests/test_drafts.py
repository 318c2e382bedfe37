"""A draft lives on disk, survives, changes only as a whole, and becomes a data set."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.datasets import DatasetStore
from studio.drafts import Drafts
from studio.errors import NotFound, StudioError
from studio.workspace import Workspace

ROWS = "question,answer,note\n" + "".join(f"Question {n}?,Answer {n}.,note {n}\n" for n in range(1, 21)) + "No answer?,,x\n"


@pytest.fixture
def drafts(tmp_path: Path) -> Drafts:
    workspace = Workspace(tmp_path / "w")
    return Drafts(workspace, DatasetStore(workspace))


def upload(drafts: Drafts, text: str = ROWS, name: str = "my_questions.csv") -> Path:
    path = drafts.workspace.root / "uploads" / "abc" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_an_upload_becomes_a_draft_and_its_copy_goes(drafts: Drafts) -> None:
    path = upload(drafts)
    opened = drafts.take_upload(path)
    assert not path.exists()
    assert not path.parent.exists()
    assert opened.mapping.columns == {"question": "question", "answer": "answer"}
    assert len(opened.converted.examples) == 20
    assert [item.row for item in opened.left_out] == [22]
    assert opened.counts == {"train": 18, "validation": 2}
    assert drafts.newest() == opened.draft.id


def test_a_new_process_finds_the_draft(drafts: Drafts) -> None:
    draft_id = drafts.take_upload(upload(drafts)).draft.id
    drafts.share_out(draft_id, validation=0.5, seed=7)
    again = Drafts(drafts.workspace, drafts.datasets)
    assert again.newest() == draft_id
    assert again.open(draft_id).counts["validation"] == 10
    assert again.open(draft_id).draft.seed == 7


@pytest.mark.parametrize("where", ["/etc/passwd", "../../etc/passwd", "", "uploads"])
def test_only_uploads_are_taken(drafts: Drafts, where: str) -> None:
    with pytest.raises(NotFound):
        drafts.take_upload(where)
    assert drafts.newest() is None


def test_a_link_out_of_the_uploads_is_not_followed(drafts: Drafts, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text(ROWS)
    link = drafts.workspace.root / "uploads" / "link.csv"
    link.symlink_to(secret)
    with pytest.raises(NotFound):
        drafts.take_upload(link)
    assert secret.exists()


def test_what_cannot_be_read_leaves_nothing_behind(drafts: Drafts) -> None:
    path = upload(drafts, "", "empty.csv")
    with pytest.raises(StudioError) as caught:
        drafts.take_upload(path)
    assert "empty" in str(caught.value)
    assert not path.exists()
    assert list((drafts.workspace.root / "cache").glob("draft-*")) == []


@pytest.mark.parametrize("draft_id", ["", None, 3, "../runs", "draft-../x", "draft-nothing", "starter", ["draft-x"]])
def test_forged_ids_open_nothing(drafts: Drafts, draft_id: object) -> None:
    with pytest.raises(NotFound):
        drafts.open(draft_id)
    with pytest.raises(NotFound):
        drafts.share_out(draft_id, validation=0.1, seed=1)


def test_columns_are_chosen_and_change_places(drafts: Drafts) -> None:
    draft_id = drafts.take_upload(upload(drafts)).draft.id
    swapped = drafts.choose_column(draft_id, "question", "answer")
    assert swapped.mapping.columns == {"question": "answer", "answer": "question"}
    assert swapped.mapping.sure == "chosen"
    assert swapped.converted.examples[0].messages[0]["content"] == "Answer 1."
    other = drafts.choose_column(draft_id, "answer", "note")
    assert other.converted.examples[0].messages[1]["content"] == "note 1"
    assert drafts.open(draft_id).mapping.columns == {"question": "answer", "answer": "note"}


def test_a_change_that_cannot_be_leaves_the_draft_as_it_was(drafts: Drafts) -> None:
    before = drafts.take_upload(upload(drafts))
    draft_id = before.draft.id
    changes = [
        lambda: drafts.choose_column(draft_id, "question", "nowhere"),
        lambda: drafts.choose_column(draft_id, "nothing", "answer"),
        lambda: drafts.choose_column(draft_id, "question", ""),
        lambda: drafts.choose_format(draft_id, "nothing"),
        lambda: drafts.read_again(draft_id, encoding="no-such-encoding"),
        lambda: drafts.share_out(draft_id, validation=float("nan"), seed=1),
        lambda: drafts.share_out(draft_id, validation=0.6, seed=1),
        lambda: drafts.share_out(draft_id, validation=True, seed=1),
        lambda: drafts.share_out(draft_id, validation=0.1, seed=-1),
        lambda: drafts.share_out(draft_id, validation=0.1, seed=1.5),
        lambda: drafts.share_out(draft_id, validation="0.1", seed="1"),
    ]
    for change in changes:
        with pytest.raises(StudioError):
            change()
        assert drafts.open(draft_id) == before


def test_every_fault_of_the_sharing_out_is_named_at_once(drafts: Drafts) -> None:
    draft_id = drafts.take_upload(upload(drafts)).draft.id
    with pytest.raises(StudioError) as caught:
        drafts.share_out(draft_id, validation=7, seed=-3)
    assert "share" in caught.value.why
    assert "seed" in caught.value.why


def test_another_format_finds_columns_of_its_own(drafts: Drafts) -> None:
    draft_id = drafts.take_upload(upload(drafts)).draft.id
    assert drafts.choose_format(draft_id, "text").mapping.columns == {"text": "question"}
    back = drafts.choose_format(draft_id, "pairs")
    assert back.mapping.columns == {"question": "question", "answer": "answer"}


def test_the_file_is_read_another_way(drafts: Drafts) -> None:
    draft_id = drafts.take_upload(upload(drafts)).draft.id
    without = drafts.read_again(draft_id, header=False)
    assert "question" not in without.reading.columns
    assert len(without.reading.rows) > len(drafts.read_again(draft_id, header=True).reading.rows)


def test_a_pasted_table(drafts: Drafts) -> None:
    opened = drafts.take_text("question\tanswer\nA?\tB.\nC?\tD.\n")
    assert [row.messages[1]["content"] for row in opened.converted.examples] == ["B.", "D."]
    record = drafts.save(opened.draft.id)
    again = drafts.take_dataset(record.id)
    assert again.draft.pasted
    assert again.draft.parent == record.id


def test_saving_makes_a_data_set_and_ends_the_draft(drafts: Drafts) -> None:
    draft_id = drafts.take_upload(upload(drafts)).draft.id
    record = drafts.save(draft_id)
    assert record.name == "My questions"
    assert record.rows == 20
    assert record.left_out == 1
    assert record.counts == {"train": 18, "validation": 2}
    assert record.provenance["original_file"] == "my_questions.csv"
    assert record.mapping == {"format": "pairs", "columns": {"question": "question", "answer": "answer"}}
    assert (drafts.datasets.folder(record.id) / "original" / "source.csv").read_text() == ROWS
    assert drafts.newest() is None
    with pytest.raises(NotFound):
        drafts.open(draft_id)


def test_nothing_to_learn_from_is_not_saved(drafts: Drafts) -> None:
    draft_id = drafts.take_upload(upload(drafts, "question,answer\nA?,\nB?,\nC?,\n")).draft.id
    drafts.choose_format(draft_id, "pairs")
    assert drafts.choose_column(draft_id, "answer", "answer").converted.examples == ()
    with pytest.raises(StudioError):
        drafts.save(draft_id)
    assert drafts.datasets.ids() == []
    assert drafts.get(draft_id).id == draft_id


def test_a_saved_set_is_read_anew_as_it_was_made(drafts: Drafts) -> None:
    draft_id = drafts.take_upload(upload(drafts)).draft.id
    drafts.choose_column(draft_id, "answer", "note")
    first = drafts.save(draft_id, "Notes")
    opened = drafts.take_dataset(first.id)
    assert opened.mapping.columns == {"question": "question", "answer": "note"}
    assert opened.draft.name == "my_questions.csv"
    second = drafts.save(opened.draft.id)
    assert second.parent == first.id
    assert second.sha256 == drafts.datasets.get(second.id).sha256
    assert drafts.datasets.get(first.id).name == "Notes"


@pytest.mark.parametrize(
    "name",
    ["CON.csv", "$(id).csv", "a'b\"c.csv", "ünï¢ode.csv", "<img onerror=x>.csv", "x" * 200 + ".csv", "\u202egpj.csv", "..csv"],
)
def test_strange_file_names(drafts: Drafts, name: str) -> None:
    before = {path for path in drafts.workspace.root.parent.rglob("*")}
    opened = drafts.take_upload(upload(drafts, name=name))
    made = {path for path in drafts.workspace.root.parent.rglob("*")} - before
    assert all(drafts.workspace.root / "cache" / opened.draft.id in (path, *path.parents) for path in made)
    assert len(opened.draft.name) <= 80
    assert drafts.save(opened.draft.id).rows == 20


CHATS = "20.06.21, 14:30 - Anna: Are you open?\n20.06.21, 14:31 - Ben: Yes.\n20.06.21, 14:32 - Anna: Until when?\n"


def test_who_the_model_learns_to_be_is_chosen_and_kept(drafts: Drafts) -> None:
    opened = drafts.take_upload(upload(drafts, CHATS, "WhatsApp Chat.txt"))
    assert opened.mapping.speakers == {"Anna": 2, "Ben": 1}
    assert opened.converted.examples[0].messages[-1]["content"] == "Until when?"
    draft_id = opened.draft.id
    changed = drafts.choose(draft_id, me="Ben")
    assert [message["content"] for message in changed.converted.examples[0].messages] == ["Are you open?", "Yes."]
    assert drafts.open(draft_id) == changed
    record = drafts.save(draft_id)
    assert record.mapping["choices"] == {"me": "Ben", "skip": []}
    assert drafts.take_dataset(record.id).mapping.choices.me == "Ben"


def test_a_template_is_taken_apart_with_consent(drafts: Drafts) -> None:
    row = '{"text": "<|im_start|>user\\nHi<|im_end|><|im_start|>assistant\\nHello<|im_end|>"}\n'
    opened = drafts.take_upload(upload(drafts, row * 3, "a.jsonl"))
    assert (opened.mapping.template, len(opened.converted.examples), len(opened.left_out)) == ("chatml", 0, 3)
    allowed = drafts.choose(opened.draft.id, strip_template=True)
    assert (len(allowed.converted.examples), allowed.left_out) == (3, ())
    other = drafts.choose_format(opened.draft.id, "text")
    assert len(other.converted.examples) == 3


@pytest.mark.parametrize("choices", [{"me": "Carla"}, {"me": 5}, {"nothing": 1}, {"skip": "Anna"}, {"strip_template": 1}])
def test_choices_that_cannot_be_leave_the_draft_as_it_was(drafts: Drafts, choices: dict[str, object]) -> None:
    before = drafts.take_upload(upload(drafts, CHATS, "a.txt"))
    with pytest.raises(StudioError):
        drafts.choose(before.draft.id, **choices)
    assert drafts.open(before.draft.id) == before
