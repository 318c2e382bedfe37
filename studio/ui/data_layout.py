"""The parts of the Data tab that a person meets first: the ways to begin, the file, its columns, and one example."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from studio.data.detect import FORMATS
from studio.data.read import SUFFIXES
from studio.drafts import MOST_KEPT_ASIDE
from studio.samples import samples
from studio.ui import examples as shown
from studio.ui import pieces, words, words_data
from studio.ui.workbench import hub, taking

ROLE_SLOTS = 4  # no format has more roles
MAX_PASTE = 5_000_000  # characters


def build_start(made: dict[str, Any]) -> None:
    """Samples, the drop zone, pasting, and what was saved before."""
    with gr.Column(elem_classes="tight", min_width=0):
        pieces.html(Markup("<h2>{}</h2>").format(words.TRY_SAMPLE))
        made["samples"] = pieces.html(shown.sample_cards(samples(), 0), js_on_load=shown.SAMPLES_JS)
    with gr.Column(elem_classes="tight", min_width=0):
        pieces.html(Markup("<h2>{}</h2>").format(words.BRING_OWN))
        made["upload"] = gr.File(
            label="Your file", show_label=False, elem_classes="drop", height=144, file_types=list(SUFFIXES), file_count="multiple"
        )
        made["taking"] = taking.build()
        with gr.Row(elem_classes="hint"):
            pieces.html(pieces.small(words.FILE_HINT))
            made["paste_link"] = gr.Button(words.PASTE, size="sm", elem_classes="as-link")
            link = gr.Button(words_data.HUB, size="sm", elem_classes="as-link")
        made["hub"] = hub.build(link)
        with gr.Column(elem_classes="card", min_width=0, visible=False) as made["paste_area"]:
            made["paste"] = gr.Textbox(
                label=words.PASTE_LABEL, info=words.PASTE_HINT, lines=8, max_lines=16, max_length=MAX_PASTE, interactive=True
            )
            with pieces.buttons():
                made["paste_go"] = gr.Button(words.PASTE_GO, size="sm", variant="primary")
    with gr.Column(elem_classes="tight", min_width=0, visible=False) as made["saved_area"]:
        pieces.html(Markup("<h2>{}</h2>").format(words.HAVE_DATA))
        with pieces.card():
            made["saved"] = gr.Dropdown([], label=words.HAVE_DATA_HINT, value=None, interactive=True)


def build_file(made: dict[str, Any]) -> None:
    """What was read, and how to read it otherwise."""
    with pieces.card():
        with gr.Row(elem_classes="file-row"):
            made["file"] = pieces.html()
            with pieces.buttons("end"):
                made["again"] = gr.Button(words.CHANGE_COPY, size="sm", visible=False)
                made["other"] = gr.Button(words.OTHER_DATA, size="sm")
        made["sheet"] = gr.Dropdown([], label=words.SHEET_LABEL, visible=False, interactive=True)
        with gr.Column(elem_classes="advanced-only", min_width=0) as made["reading"]:
            made["name"] = gr.Textbox(label=words.DATA_NAME, max_length=80, interactive=True)
            made["header"] = gr.Radio(
                words.HEADER_CHOICES, value="auto", label=words.HEADER_LABEL, elem_classes="seg", interactive=True
            )
            with pieces.pair():
                made["encoding"] = gr.Dropdown(
                    words.ENCODING_CHOICES, value="", label=words.ENCODING_LABEL, interactive=True, filterable=False
                )
                made["delimiter"] = gr.Dropdown(
                    words.DELIMITER_CHOICES, value="", label=words.DELIMITER_LABEL, interactive=True, filterable=False
                )


def build_columns(made: dict[str, Any]) -> None:
    """What the columns mean."""
    with pieces.card() as made["columns"]:
        made["columns_head"] = pieces.html(pieces.head(words.COLUMNS_TITLE))
        choices = [(form.label, key) for key, form in FORMATS.items()]
        made["format"] = gr.Dropdown(choices, value=choices[0][1], label=words.FORMAT_LABEL, interactive=True, filterable=False)
        with gr.Row(elem_classes="pair"):
            made["roles"] = tuple(
                gr.Dropdown([], label=f"Column {slot + 1}", visible=False, interactive=True, filterable=False)
                for slot in range(ROLE_SLOTS)
            )
        made["me"] = gr.Dropdown(
            [], label=words_data.ME, info=words_data.ME_HELP, visible=False, interactive=True, filterable=False
        )
        made["strip_template"] = gr.Checkbox(label=words_data.STRIP, info=words_data.STRIP_HELP, visible=False, interactive=True)
        made["tools_as_text"] = gr.Checkbox(label=words_data.TOOLS, info=words_data.TOOLS_HELP, visible=False, interactive=True)


def build_example(made: dict[str, Any]) -> None:
    """One row, as a chat and as the pieces the model sees."""
    with pieces.card():
        with gr.Row(elem_classes="file-row"):
            made["example_head"] = pieces.html(pieces.head(words.EXAMPLE_TITLE))
            with pieces.buttons("end"):
                made["before"] = gr.Button(words.BEFORE, size="sm")
                made["after"] = gr.Button(words.AFTER, size="sm")
        made["example"] = pieces.html()
        made["see_tokens"] = gr.Checkbox(label=words.SHOW_TOKENS, value=False, interactive=True)
        made["tokens"] = pieces.html(elem_classes="hidden-empty")


def build_shares(made: dict[str, Any]) -> None:
    """How the rows are shared out."""
    with pieces.card():
        pieces.html(pieces.head(words.SHARE_TITLE, words.SHARE_NOTE))
        made["shares"] = pieces.html()
        with pieces.pair(elem_id="share-more") as made["share_more"]:
            made["validation"] = gr.Slider(
                0,
                MOST_KEPT_ASIDE,
                value=0.1,
                step=0.01,
                label=words.SHARE_LABEL,
                info=words.SHARE_HELP,
                buttons=[],
                interactive=True,
                elem_classes="advanced-only",
            )
            made["seed"] = gr.Number(
                42, label=words.SEED_LABEL, info=words.SEED_HELP, step=1, interactive=True, elem_classes="advanced-only"
            )
