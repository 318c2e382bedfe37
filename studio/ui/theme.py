"""The Gradio theme, which only points at the tokens of assets/css/studio.css, and what goes into the page's head."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import gradio as gr

from studio.ui import words

CSS = Path(__file__).resolve().parents[2] / "assets" / "css" / "studio.css"
JS = CSS.parents[1] / "js" / "studio.js"

TOKENS = {  # Gradio's variable: token of studio.css; the same name serves light and dark
    "body_background_fill": "paper",
    "body_text_color": "ink",
    "body_text_color_subdued": "muted",
    "background_fill_primary": "surface",
    "background_fill_secondary": "sunk",
    "border_color_primary": "line",
    "border_color_accent": "accent",
    "color_accent_soft": "accent-soft",
    "link_text_color": "accent",
    "link_text_color_hover": "accent-hover",
    "link_text_color_active": "accent",
    "link_text_color_visited": "accent",
    "block_background_fill": "paper",
    "block_border_color": "line",
    "block_info_text_color": "muted",
    "block_label_text_color": "ink",
    "block_title_text_color": "ink",
    "block_label_background_fill": "surface",
    "panel_background_fill": "paper",
    "checkbox_background_color": "surface",
    "checkbox_background_color_hover": "surface",
    "checkbox_background_color_selected": "accent",
    "checkbox_border_color": "control",
    "checkbox_border_color_hover": "ink",
    "checkbox_border_color_selected": "accent",
    "checkbox_border_color_focus": "accent",
    "checkbox_label_background_fill": "surface",
    "checkbox_label_background_fill_hover": "surface",
    "checkbox_label_background_fill_selected": "accent-soft",
    "checkbox_label_text_color": "ink",
    "checkbox_label_text_color_selected": "ink",
    "checkbox_label_border_color": "line",
    "input_background_fill": "surface",
    "input_background_fill_focus": "surface",
    "input_border_color": "control",
    "input_border_color_focus": "accent",
    "input_border_color_hover": "ink",
    "input_placeholder_color": "muted",
    "slider_color": "accent",
    "loader_color": "accent",
    "button_primary_background_fill": "accent",
    "button_primary_background_fill_hover": "accent-hover",
    "button_primary_text_color": "on-accent",
    "button_primary_text_color_hover": "on-accent",
    "button_primary_border_color": "accent",
    "button_primary_border_color_hover": "accent-hover",
    "button_secondary_background_fill": "surface",
    "button_secondary_background_fill_hover": "surface",
    "button_secondary_text_color": "ink",
    "button_secondary_text_color_hover": "ink",
    "button_secondary_border_color": "control",
    "button_secondary_border_color_hover": "ink",
    "error_background_fill": "red-soft",
    "error_text_color": "red",
    "error_border_color": "red",
    "table_even_background_fill": "surface",
    "table_odd_background_fill": "surface",
    "table_border_color": "line",
}
PLAIN = {  # no shadows, hairlines, 8 px grid
    **{
        f"{name}": "none"
        for name in (
            "shadow_drop",
            "shadow_drop_lg",
            "shadow_inset",
            "block_shadow",
            "input_shadow",
            "input_shadow_focus",
            "button_primary_shadow",
            "button_secondary_shadow",
            "checkbox_shadow",
        )
    },
    "block_border_width": "0px",
    "block_padding": "0px",
    "block_radius": "12px",
    "container_radius": "12px",
    "input_border_width": "1px",
    "input_radius": "8px",
    "input_padding": "11px 14px",
    "input_text_size": "16px",
    "button_border_width": "1px",
    "button_large_radius": "8px",
    "button_small_radius": "8px",
    "layout_gap": "16px",
    "form_gap_width": "0px",
    "block_title_text_size": "15px",
    "block_title_text_weight": "600",
    "block_info_text_size": "14px",
    "body_text_size": "16px",
    "prose_text_size": "16px",
}


def theme() -> gr.themes.Base:
    """Gradio's plain theme with every colour taken from our tokens; system fonts, so nothing is fetched."""
    both = {name: f"var(--{token})" for name, token in TOKENS.items()} | PLAIN
    base = gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    dark = {f"{name}_dark": value for name, value in both.items() if hasattr(base, f"{name}_dark")}
    return base.set(**both, **dark)


@lru_cache(maxsize=1)
def head_html() -> str:
    """Style and script for the page's head: there from the first paint, and unchanged by Gradio."""
    labels = json.dumps(words.TAB_HELP)
    sheets = [CSS, *sorted(path for path in CSS.parent.glob("*.css") if path != CSS)]
    style = "\n".join(path.read_text(encoding="utf-8") for path in sheets)
    script = JS.read_text(encoding="utf-8")
    return f"<style>{style}</style><script>window.studioWords = {labels};\n{script}</script>"


def i18n() -> gr.I18n:
    """Gradio's own words on the upload box, said our way in every language the page may pick."""
    return gr.I18n(**{language: words.GRADIO_WORDS for language in words.LANGUAGES})
