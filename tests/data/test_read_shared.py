"""The development data and two public test suites: every file is read as expected, or refused with a sentence."""

from __future__ import annotations

import json
import resource
import time
import zipfile
from pathlib import Path

import pytest

from studio.data.convert import convert
from studio.data.detect import Choices, detect
from studio.data.read import SUFFIXES, read
from studio.data.readers.reading import Reading
from studio.errors import StudioError
from tests.data.files import SECONDS, write
from tests.data.shared import SHARED, needs_shared

NO_TEXT = "No column holds text"  # read, but there is nothing to learn from
EXPECTED: dict[str, tuple[str, int, int, str, int] | str] = {  # kind, rows, columns, format, examples; or why it is refused
    "SOURCES.md": ("markdown", 66, 2, "text", 66),
    "awkward/cdc_faq_semicolon_cp1252.csv": ("csv", 60, 3, "pairs", 60),
    "awkward/clinc_intents_utf16.tsv": ("tsv", 400, 2, "labels", 400),
    "awkward/clinc_intents_utf8_bom.csv": ("csv", 300, 2, "labels", 300),
    "awkward/csv_spectrum.zip": ("several", 36, 3, NO_TEXT, 0),
    "awkward/json_test_suite_even.zip": ("json", 1, 1, NO_TEXT, 0),
    "awkward/messy_null.csv": ("csv", 10, 4, NO_TEXT, 0),
    "awkward/messy_simple.ssv": ("csv", 6, 3, "text", 6),
    "awkward/messy_simple.zip": ("csv", 6, 3, "text", 6),
    "awkward/messy_skip_initials.csv": ("csv", 2, 2, "pairs", 2),
    "awkward/messy_unicode_sheet_name.xls": ("xlsx", 1, 1, "text", 1),
    "awkward/messy_utf8bom.csv": "It has a header but no rows below it.",
    "awkward/parquet_PARQUET-1481.parquet": "It is damaged, protected with a password, or of another kind than its name says.",
    "awkward/parquet_alltypes_plain.snappy.parquet": ("parquet", 2, 11, NO_TEXT, 0),
    "awkward/parquet_nested_lists.snappy.parquet": ("parquet", 3, 2, NO_TEXT, 0),
    "awkward/readxl_deaths.xlsx": ("xlsx", 10, 6, "pairs", 10),
    "awkward/readxl_type-me.xlsx": ("xlsx", 11, 2, "text", 11),
    "awkward/snips_playmusic_latin1.json": ("json", 2000, 2, "pairs", 2000),
    "customer_service/abcd_sample.json": ("json", 3, 4, "dialogue", 3),
    "customer_service/cdc_faq.csv": ("csv", 111, 12, "pairs", 111),
    "customer_service/cdc_faq_messy.xlsx": ("xlsx", 82, 5, "pairs", 80),
    "customer_service/clinc150_intents_3000.csv": ("csv", 3000, 2, "labels", 3000),
    "customer_service/clinc150_out_of_scope.json": ("json", 1200, 3, "labels", 1200),
    "customer_service/tech_support_qa.csv": ("csv", 600, 2, "pairs", 600),
    "documents/18f_changing_your_name_password.pdf": "It is protected with a password.",
    "documents/18f_code_of_conduct.docx": ("docx", 8, 2, "text", 8),
    "documents/18f_handbook_markdown.zip": ("markdown", 507, 2, "text", 507),
    "documents/18f_leading_projects.pdf": ("pdf", 20, 2, "text", 20),
    "documents/docx_with_tables.docx": "It holds no text.",
    "documents/markitdown_SPARSE-2024-INV-1234_borderless_table.pdf": ("pdf", 2, 2, "text", 2),
    "documents/markitdown_movie-theater-booking-2024.pdf": ("pdf", 8, 2, "text", 8),
    "documents/markitdown_rlink.docx": ("docx", 1, 2, "text", 1),
    "documents/opensource_guide_en.md": ("markdown", 23, 2, "text", 23),
    "documents/opensource_guide_es.md": ("markdown", 26, 2, "text", 26),
    "documents/opensource_guide_ja.md": ("markdown", 19, 2, "text", 19),
    "glue/advglue_dev.json": ("json", 162, 8, "labels", 162),
    "glue/qnli_dev_1500.tsv": ("tsv", 1500, 4, "labels", 1500),
    "instruction/dolly_12.json": ("json", 12, 4, "instruction", 12),
    "instruction/dpo_preference_120.json": ("json", 120, 3, "sharegpt", 120),
    "instruction/glaive_toolcall_sharegpt_150.json": ("json", 150, 2, "sharegpt", 150),
    "instruction/gpteacher_roleplay_200.json": ("json", 200, 3, "instruction", 200),
    "instruction/identity_alpaca.json": ("json", 91, 3, "instruction", 91),
    "instruction/oasst_en_trees_60.jsonl": ("jsonl", 60, 1, "messages", 60),
    "instruction/oasst_openai_messages.jsonl": ("jsonl", 95, 1, "messages", 95),
    "instruction/oasst_openai_messages.parquet": ("parquet", 95, 2, "messages", 95),
    "instruction/oasst_sharegpt.json": ("json", 60, 2, "sharegpt", 60),
    "instruction/seed_tasks_alpaca.json": ("json", 175, 3, "instruction", 175),
    "instruction/self_instruct_seed_tasks.jsonl": ("jsonl", 175, 3, "instruction", 175),
    "multilingual/chat_es.csv": ("csv", 280, 3, "pairs", 280),
    "multilingual/chat_hi.tsv": ("tsv", 52, 2, "pairs", 52),
    "multilingual/chat_ja_prompt_completion.jsonl": ("jsonl", 568, 2, "prompt", 568),
    "multilingual/xquad_ar_177.json": ("json", 177, 3, "instruction", 177),
    "multilingual/xquad_es_274.json": ("json", 274, 3, "instruction", 274),
    "prose/alice_in_wonderland.txt": ("text", 108, 2, "text", 108),
    "prose/candide_fr_latin1.txt": ("text", 167, 2, "text", 167),
    "prose/tiny_shakespeare_300k.txt": ("text", 225, 2, "text", 225),
    "qa/gsm8k_train_4500.jsonl": ("jsonl", 4500, 2, "pairs", 4500),
    "qa/squad_dev_flat_400.csv": ("csv", 400, 6, "instruction", 400),
    "qa/squad_v1.1_dev_subset.json": ("json", 1190, 3, "instruction", 1190),
    "safety/deepset_prompt_injections_test.parquet": ("parquet", 116, 2, "labels", 116),
    "safety/giskard_prompt_injections.csv": ("csv", 35, 6, "pairs", 35),
    "safety/presidio_pii_small.json": ("json", 100, 5, "pairs", 100),
    "safety/winobias_anti_stereotyped_type1_dev.txt": ("text", 23, 2, "text", 23),
    "safety/winobias_pro_stereotyped_type1_dev.txt": ("text", 23, 2, "text", 23),
    "safety/xstest_prompts.csv": ("csv", 450, 6, "labels", 450),
}


def expected(name: str) -> tuple[str, int, int, str, int] | str | None:
    """What is to come out of a file; of the licences only whether they are read."""
    if name.startswith("LICENSES/"):
        return None if name.endswith((".md", ".txt")) else "Files of this kind are not supported."
    return EXPECTED[name]


@needs_shared
def test_every_file_of_the_development_data_is_in_the_table() -> None:
    found = {path.relative_to(SHARED).as_posix() for path in SHARED.rglob("*") if path.is_file()}
    assert {name for name in found if not name.startswith("LICENSES/")} == set(EXPECTED)


@needs_shared
@pytest.mark.parametrize("path", sorted(path for path in SHARED.rglob("*") if path.is_file()), ids=lambda path: path.name)
def test_development_data(path: Path) -> None:
    wanted = expected(path.relative_to(SHARED).as_posix())
    start = time.perf_counter()
    if isinstance(wanted, str):
        with pytest.raises(StudioError) as caught:
            read(path)
        assert caught.value.why == wanted and caught.value.fix and path.name[:20] in caught.value.what
    else:
        found = read(path)
        assert wanted in (None, (found.kind, len(found.rows), len(found.columns), *learned(found)))
    assert time.perf_counter() - start < SECONDS
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 2 * 2**20  # kB, of the largest child


def learned(found: Reading) -> tuple[str, int]:
    """The format and how many examples come of it; none is lost on the way."""
    try:
        mapping = detect(found)
    except StudioError as error:
        assert error.what.startswith(NO_TEXT)
        return NO_TEXT, 0
    done = convert(found, mapping)
    assert len(done.examples) + len(done.left_out) == len(found.rows)
    return mapping.format, len(done.examples)


@needs_shared
def test_what_stands_around_tables_is_told_from_them() -> None:
    deaths = read(SHARED / "awkward/readxl_deaths.xlsx")
    assert (deaths.sheet, deaths.sheets, deaths.row_numbers[0]) == ("arts", ("arts", "other"), 6)
    assert deaths.columns[:2] == ("Name", "Profession") and deaths.rows[0]["Name"] == "David Bowie"
    assert [item.row for item in deaths.left_out] == [16, 17, 18, 19] and "below the table" in deaths.left_out[0].reason
    assert len(read(SHARED / "awkward/readxl_deaths.xlsx", sheet="other").rows) == 10
    messy = read(SHARED / "customer_service/cdc_faq_messy.xlsx")
    assert messy.left_out[0].excerpt.startswith("Total questions") and "row 4 was passed over" in " ".join(messy.notes)


@needs_shared
def test_documents_keep_their_headings() -> None:
    conduct = read(SHARED / "documents/18f_code_of_conduct.docx")
    assert "Code of conduct > What We Strive For" in {row["heading"] for row in conduct.rows}
    leading = read(SHARED / "documents/18f_leading_projects.pdf")
    assert leading.row_numbers[-1] > 3 and any(row["heading"].endswith("> Ending a project") for row in leading.rows)
    guide = read(SHARED / "documents/opensource_guide_ja.md")
    assert "title:" not in guide.rows[0]["text"] and all(row["heading"] for row in guide.rows)
    book = read(SHARED / "documents/18f_handbook_markdown.zip")
    assert len(book.files) == 52 and book.file_of(0).endswith("account-manager.md")


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
