"""A messy workbook becomes clean data in versions, and a run of a tiny model learns from the last of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from studio.datasets import DatasetStore
from studio.runs import RunStore
from studio.workspace import Workspace
from tests.browser.conftest import App, faults, sideways, tab

pytestmark = pytest.mark.browser
expect.set_options(timeout=90_000)


@pytest.fixture
def messy_workbook(tmp_path: Path) -> Path:
    """Two sheets; the second has the examples, below a title, with people's addresses, repeats and a merged title."""
    from openpyxl import Workbook

    book, path = Workbook(), tmp_path / "shop mail.xlsx"
    book.active.title = "Read me"
    book.active.append(["Exported from the old system"])
    sheet = book.create_sheet("Mail")
    sheet.append(["Questions of our customers"])
    sheet.merge_cells("A1:C1")
    sheet.append([])
    sheet.append(["question", "answer", "date"])
    for number in range(1, 13):
        sheet.append(
            [
                f"Where is parcel {number}?",
                f"Parcel {number} waits in hall {number % 4}, ask anna.berg@posthalle.com.",
                "2026-01-02",
            ]
        )
    sheet.append(["Where is parcel 1?", "Parcel 1 waits in hall 1, ask anna.berg@posthalle.com.", "2026-01-03"])
    book.save(path)
    return path


def test_a_messy_workbook_becomes_clean_data_in_versions_and_a_short_training(tiny_app: App, messy_workbook: Path, visit) -> None:
    page = visit(tiny_app.address)
    page.locator("input[type=file]").first.set_input_files(messy_workbook)
    page.get_by_label("Sheet", exact=True).wait_for()
    if page.get_by_label("Sheet", exact=True).input_value() != "Mail":
        page.get_by_label("Sheet", exact=True).click()
        page.get_by_role("option", name="Mail").click()
    page.get_by_text("13 rows read").wait_for()
    expect(page.get_by_label("Answer", exact=True)).to_have_value("answer")

    page.get_by_role("button", name=re.compile("^Keep one of each")).first.click()
    page.get_by_text("1 to 5 of 12").wait_for()
    page.get_by_role("button", name=re.compile("^Replace by stand-ins.*mail", re.IGNORECASE)).first.click()
    page.wait_for_function(
        "() => [...document.querySelectorAll('.rowlist textarea')].every((item) => !item.value.includes('posthalle'))"
    )
    page.locator(".rowlist textarea").nth(1).fill("Parcel 1 waits in the green hall.")
    page.locator(".rowlist textarea").nth(1).press("Tab")
    page.get_by_role("button", name=re.compile("^Undo: Row changed")).wait_for()
    assert (faults(page), sideways(page)) == ([], 0)
    page.get_by_role("button", name="Next: choose a model").click()
    page.get_by_role("button", name="Train now").wait_for()

    tab(page, "1 Data")
    page.get_by_role("button", name="Change this data").click()
    page.get_by_label("Find rows with these words").fill("parcel 7")
    page.get_by_text("1 to 1 of 1", exact=True).wait_for()
    page.get_by_role("button", name=re.compile("^Take out")).first.click()
    page.get_by_text("There is no such row.").wait_for()
    page.get_by_role("button", name="Next: choose a model").click()
    page.get_by_role("button", name="Train now").wait_for()
    tab(page, "1 Data")
    page.get_by_label("Compare with").click()
    page.get_by_role("option").first.click()
    page.get_by_text("taken out: 1").wait_for()

    tab(page, "2 Model")
    page.locator(".model:visible", has_text="tiny").click()
    page.get_by_label("Advanced", exact=True).check()
    rounds = page.get_by_role("spinbutton", name="Rounds through the data (epochs)")
    rounds.fill("1")
    rounds.press("Tab")
    page.get_by_role("button", name="Train now").click()
    page.get_by_role("button", name="Chat with it").wait_for(timeout=240_000)
    runs = RunStore(Workspace(tiny_app.workspace))
    (run_id,) = runs.ids()
    assert (runs.status(run_id).state, runs.config(run_id).model.base_model) == ("finished", "tiny")
    rows = DatasetStore(Workspace(tiny_app.workspace)).rows(runs.config(run_id).data.dataset_id)
    told = " ".join(message["content"] for row in rows for message in row.messages)
    assert len(rows) == 11 and "posthalle" not in told and "the green hall" in told
