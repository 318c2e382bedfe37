"""The development data and two public test suites: every file is read as expected, or refused with a sentence."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from studio.data.convert import convert
from studio.data.detect import Choices, detect
from studio.data.read import SUFFIXES, read
from studio.data.readers.reading import Reading
from studio.errors import StudioError
from tests.data.files import write
from tests.data.shared import SHARED, needs_shared

EXPECTED = {  # file: format and examples, or what the refusal says
    "awkward/cdc_faq_semicolon_cp1252.csv": ("pairs", 60),
    "awkward/clinc_intents_utf16.tsv": ("labels", 400),
    "awkward/clinc_intents_utf8_bom.csv": ("labels", 300),
    "awkward/messy_null.csv": "No column holds text",
    "awkward/messy_skip_initials.csv": ("pairs", 2),
    "awkward/messy_utf8bom.csv": "header but no rows",
    "awkward/parquet_PARQUET-1481.parquet": "damaged",
    "awkward/parquet_alltypes_plain.snappy.parquet": "No column holds text",
    "awkward/parquet_nested_lists.snappy.parquet": "No column holds text",
    "awkward/snips_playmusic_latin1.json": ("pairs", 2000),
    "customer_service/abcd_sample.json": ("dialogue", 3),
    "customer_service/cdc_faq.csv": ("pairs", 111),
    "customer_service/cdc_faq_messy.xlsx": ("pairs", 80),
    "customer_service/clinc150_intents_3000.csv": ("labels", 3000),
    "customer_service/clinc150_out_of_scope.json": ("labels", 1200),
    "customer_service/tech_support_qa.csv": ("pairs", 600),
    "documents/opensource_guide_en.md": ("text", 23),
    "glue/advglue_dev.json": ("labels", 162),
    "glue/qnli_dev_1500.tsv": ("labels", 1500),
    "instruction/dolly_12.json": ("instruction", 12),
    "instruction/dpo_preference_120.json": ("sharegpt", 120),
    "instruction/glaive_toolcall_sharegpt_150.json": ("sharegpt", 150),
    "instruction/gpteacher_roleplay_200.json": ("instruction", 200),
    "instruction/identity_alpaca.json": ("instruction", 91),
    "instruction/oasst_en_trees_60.jsonl": ("messages", 60),
    "instruction/oasst_openai_messages.jsonl": ("messages", 95),
    "instruction/oasst_openai_messages.parquet": ("messages", 95),
    "instruction/oasst_sharegpt.json": ("sharegpt", 60),
    "instruction/seed_tasks_alpaca.json": ("instruction", 175),
    "instruction/self_instruct_seed_tasks.jsonl": ("instruction", 175),
    "multilingual/chat_es.csv": ("pairs", 280),
    "multilingual/chat_hi.tsv": ("pairs", 52),
    "multilingual/chat_ja_prompt_completion.jsonl": ("prompt", 568),
    "multilingual/xquad_ar_177.json": ("instruction", 177),
    "multilingual/xquad_es_274.json": ("instruction", 274),
    "prose/alice_in_wonderland.txt": ("text", 108),
    "prose/candide_fr_latin1.txt": ("text", 167),
    "qa/gsm8k_train_4500.jsonl": ("pairs", 4500),
    "qa/squad_dev_flat_400.csv": ("instruction", 400),
    "qa/squad_v1.1_dev_subset.json": ("instruction", 1190),
    "safety/deepset_prompt_injections_test.parquet": ("labels", 116),
    "safety/xstest_prompts.csv": ("labels", 450),
}


@needs_shared
@pytest.mark.parametrize("name", EXPECTED)
def test_development_data(name: str) -> None:
    expected = EXPECTED[name]
    if isinstance(expected, str):
        with pytest.raises(StudioError, match=expected):
            detect(read(SHARED / name))
        return
    found = read(SHARED / name)
    mapping = detect(found)
    done = convert(found, mapping)
    assert (mapping.format, len(done.examples)) == expected
    assert len(done.examples) + len(done.left_out) == len(found.rows)


@needs_shared
@pytest.mark.parametrize("task", ["sst2", "qqp", "mnli", "mnli-mm", "qnli", "rte"])
def test_every_task_of_advglue_is_sorted_with_its_numbers(task: str) -> None:
    path = SHARED / "glue/advglue_dev.json"
    rows = json.loads(path.read_text(encoding="utf-8"))[task]
    found = read(path, sheet=task)
    mapping = detect(found)
    done = convert(found, mapping)
    assert (mapping.format, "second" in mapping.columns) == ("labels", task != "sst2")
    assert [example.label for example in done.examples] == [str(row["label"]) for row in rows]
    assert done.left_out == ()


@needs_shared
def test_the_best_path_of_the_trees_is_that_of_the_same_data_as_chats() -> None:
    def examples(name: str) -> list[tuple[dict[str, str], ...]]:
        found = read(SHARED / "instruction" / name)
        return [example.messages for example in convert(found, detect(found)).examples]

    assert examples("oasst_en_trees_60.jsonl") == examples("oasst_openai_messages.jsonl")[:60]


@needs_shared
def test_seed_tasks_are_those_of_the_same_data_made_flat() -> None:
    def examples(name: str) -> list[tuple[dict[str, str], ...]]:
        found = read(SHARED / "instruction" / name)
        return [example.messages for example in convert(found, detect(found)).examples]

    assert examples("self_instruct_seed_tasks.jsonl") == examples("seed_tasks_alpaca.json")


@needs_shared
def test_the_use_of_tools_is_learned_or_left_out_as_chosen() -> None:
    found = read(SHARED / "instruction/glaive_toolcall_sharegpt_150.json")
    without = convert(found, detect(found, Choices(tools_as_text=False)))
    assert (len(without.examples), {item.reason for item in without.left_out}) == (
        73,
        {"It calls tools, and the use of tools is left out."},
    )
    called = [example for example in convert(found, detect(found)).examples if '"arguments"' in str(example.messages)]
    assert len(called) == 77


@needs_shared
def test_the_support_chats_are_learned_as_the_agent() -> None:
    found = read(SHARED / "customer_service/abcd_sample.json")
    mapping = detect(found)
    assert (mapping.choices.me, mapping.choices.skip) == ("agent", ("action",))
    assert set(mapping.speakers) == {"agent", "customer", "action"}
    for example in convert(found, mapping).examples:
        assert [message["role"] for message in example.messages][:2] == ["user", "assistant"]
        assert example.messages[-1]["role"] == "assistant"


@needs_shared
def test_the_letters_of_old_encodings_are_right() -> None:
    assert "Voltaire" in str(read(SHARED / "prose/candide_fr_latin1.txt").rows[:3])
    prose = " ".join(row["text"] for row in read(SHARED / "prose/candide_fr_latin1.txt").rows)
    assert "même" in prose and "à" in prose and "\ufffd" not in prose
    messy = read(SHARED / "customer_service/cdc_faq_messy.xlsx")
    assert (messy.sheet, messy.row_numbers[0]) == ("FAQ export", 5)


@needs_shared
@pytest.mark.long
def test_no_file_of_the_development_data_crashes(tmp_path: Path) -> None:
    seen = 0
    for path in sorted(SHARED.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.relative_to(SHARED).as_posix() not in EXPECTED:
            survive(path)
            seen += 1
    assert seen > 10


@needs_shared
@pytest.mark.parametrize("name", ["csv_spectrum", "json_test_suite_even"])
def test_no_file_of_the_public_suites_crashes(tmp_path: Path, name: str) -> None:
    seen = 0
    with zipfile.ZipFile(SHARED / f"awkward/{name}.zip") as package:
        for item in package.infolist():
            path = write(tmp_path, f"{seen}{Path(item.filename).suffix}", package.read(item))
            seen += path.suffix in SUFFIXES
            found = survive(path) if path.suffix in SUFFIXES else None
            whole = f"json/{Path(item.filename).stem}.json"
            if item.filename.startswith("csvs/") and found:
                expected = json.loads(package.read(whole))
                assert (
                    [list(row.values()) for row in found.rows]
                    == [[value.replace("\r\n", "\n") for value in row.values()] for row in expected]
                    or found.kind == "csv"
                    and any("\r\n" in value for row in found.rows for value in row.values())
                ), item.filename
    assert seen >= 20


def survive(path: Path) -> Reading | None:
    """Read, detect and convert a file; only a StudioError with all its sentences may come out."""
    try:
        found = read(path)
        convert(found, detect(found))
    except StudioError as error:
        assert error.what and error.why and error.fix
        return None
    return found
