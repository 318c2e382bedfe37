"""The page. Whatever is imported from here comes after `quicker_gradio`, so gradio loads in about half its time."""

from studio.ui.quicker import quicker_gradio

quicker_gradio()
