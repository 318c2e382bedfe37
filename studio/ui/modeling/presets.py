"""The card of the settings: what differs from the defaults, own presets, and the settings of an earlier run."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr
from markupsafe import Markup

from studio.config import RunConfig
from studio.errors import ConfigError, StudioError
from studio.presets import MAX_BYTES, Preset, Presets, back_to_default, differences, follow, same_as
from studio.ui import pieces
from studio.ui import words_model as words
from studio.ui.form import Form
from studio.ui.guard import Wiring, any_of, components, in_turn
from studio.ui.modeling.differing import DIFFERENCES_JS, listed, title
from studio.workspace import slug

if TYPE_CHECKING:
    from studio.ui.studio import Studio


FOLLOWED = ("goal", "depth")  # settings that bring others along


@dataclass(frozen=True)
class View:
    """The card's components. `form` is the page's own, given by connect(); `shown` is the preset that would be deleted."""

    notice: gr.HTML
    head: gr.HTML
    listed: gr.HTML
    all_back: gr.Button
    own: gr.Dropdown
    run: gr.Dropdown
    told: gr.HTML
    chosen: gr.Row
    export: gr.Button
    file: gr.DownloadButton
    delete: gr.Button
    asking: gr.Column
    ask: gr.HTML
    really: gr.Button
    keep: gr.Button
    name: gr.Textbox
    save: gr.Button
    rename: gr.Button
    upload: gr.UploadButton
    form: Form = field(default_factory=lambda: Form({}))


def build() -> View:
    """Layout only: a card, for a column of cards."""
    made: dict[str, Any] = {}
    with pieces.card():
        made["notice"] = pieces.notice_area()
        made["head"] = pieces.html(title([]))
        made["listed"] = pieces.html(listed([]), js_on_load=DIFFERENCES_JS)
        with pieces.buttons():
            made["all_back"] = gr.Button(words.ALL_BACK, size="sm", visible=False)
        with pieces.pair():
            about = {"interactive": True, "filterable": False}
            made["own"] = gr.Dropdown([(words.OWN_EMPTY, "")], value="", label=words.OWN, info=words.OWN_HINT, **about)
            made["run"] = gr.Dropdown([(words.NO_RUNS, "")], value="", label=words.SAME_AS, info=words.SAME_AS_HINT, **about)
        made["told"] = pieces.html("", elem_classes="hidden-empty")
        with pieces.buttons(visible=False) as made["chosen"]:
            made["export"] = gr.Button(words.EXPORT, size="sm")
            made["file"] = gr.DownloadButton(words.EXPORT, size="sm", visible=False, elem_id="preset-file")
            made["delete"] = gr.Button(words.DELETE, size="sm")
        with gr.Column(visible=False, elem_classes="ask") as made["asking"]:
            made["ask"] = pieces.html()
            with pieces.buttons():
                made["really"] = gr.Button(words.REALLY, size="sm", elem_classes="danger")
                made["keep"] = gr.Button(words.KEEP, size="sm")
        with gr.Accordion(words.KEEP_TITLE, open=False, elem_classes="quiet-details"):
            made["name"] = gr.Textbox(label=words.NAME, info=words.NAME_HINT, max_length=80, interactive=True)
            with pieces.buttons():
                made["save"] = gr.Button(words.SAVE, size="sm")
                made["rename"] = gr.Button(words.RENAME, size="sm", visible=False)
                made["upload"] = gr.UploadButton(words.IMPORT, size="sm", file_types=[".json"], type="filepath")
    return View(**made)


def connect(studio: Studio, view: View, shell: Any, form: Form) -> list[Any]:
    """Wiring only.

    Returns:
        The events that set settings. The page's `input` events do not tell of these, so what follows from the settings is
        to be drawn after each: `on(event.then, ...)`.
    """
    view = replace(view, form=form)
    on = partial(Wiring(studio, view, shell), outputs=components(view))  # nothing else of the page is touched
    values = form.inputs
    quiet = {"keep_notice": True, "trigger_mode": "always_last", "queue": False}
    # typing and setting alike: both change what differs
    on(partial(gr.on, [box.change for box in values]), show, values, **quiet)
    on(shell.panes["model"].select, refresh, [view.own, view.run, *values], keep_notice=True)
    on(view.save.click, save, [view.name, *values])
    on(view.rename.click, rename, [view.own, view.name])
    on(view.upload.upload, bring, [view.upload])
    on(view.delete.click, ask_delete, [view.own])
    on(view.really.click, delete, [view.own])
    on(view.keep.click, keep, [])
    made = on(view.export.click, export, [view.own], show_progress_on=view.export)
    made.success(None, None, None, js=pieces.press_js("preset-file"), show_progress="hidden")
    return [
        on(any_of(*(form.controls[name].input for name in FOLLOWED)), choose_goal_or_depth, values, **in_turn("model")),
        on(view.listed.select, set_back, values, event=True),
        on(view.all_back.click, set_all_back, values),
        on(view.own.input, use, [view.own, *values]),
        on(view.run.input, use_run, [view.run, shell.model_id, *values]),
    ]


# ---- handlers


def show(studio: Studio, view: View, shell: Any, *values: Any) -> dict[Any, Any]:
    """What differs from the defaults, drawn anew."""
    return compared(view, view.form.config(values))


def choose_goal_or_depth(studio: Studio, view: View, shell: Any, *values: Any) -> dict[Any, Any]:
    """Another goal or depth: what the table says of it moves along."""
    return setting(view, view.form.config(values), follow(view.form.config(values)))


def refresh(studio: Studio, view: View, shell: Any, own: Any, run: Any, *values: Any) -> dict[Any, Any]:
    """The presets and runs there are; what is chosen stays while it exists."""
    return {**show_presets(studio, view, own), **show_runs(studio, view, run), **show(studio, view, shell, *values)}


def set_back(studio: Studio, view: View, shell: Any, event: gr.EventData, *values: Any) -> dict[Any, Any]:
    """One setting back to its default."""
    config = view.form.config(values)
    return setting(view, config, back_to_default(config, [str(getattr(event, "setting", ""))]))


def set_all_back(studio: Studio, view: View, shell: Any, *values: Any) -> dict[Any, Any]:
    """Every setting that differs back to its default; goal and depth stay."""
    config = view.form.config(values)
    names = [found.name for found in differences(config.validate())]
    return {**setting(view, config, back_to_default(config, names)), **nothing_chosen(view)}


def use(studio: Studio, view: View, shell: Any, own: Any, *values: Any) -> dict[Any, Any]:
    """Set the settings of one of the person's presets."""
    if not own:
        return show_presets(studio, view, "") | {view.told: pieces.show("")}
    preset = Presets(studio.workspace).get(own)
    config = view.form.config(values)
    done = {**setting(view, config, preset.on(config)), **show_presets(studio, view, preset.id)}
    return {**done, view.run: gr.update(value=""), view.told: told(words.SET_PRESET.format(name=preset.name))}


def use_run(studio: Studio, view: View, shell: Any, run_id: Any, model_id: str, *values: Any) -> dict[Any, Any]:
    """Set the settings an earlier run had."""
    if not run_id:
        return {view.told: pieces.show("")}
    earlier = studio.runs.config(run_id)
    titles = {entry.id: entry.title for entry in studio.catalog.entries()}
    sentences = [words.SET_RUN.format(name=earlier.name)]
    if (base := earlier.model.base_model) != model_id:
        sentences.append(words.OTHER_MODEL.format(model=titles[base]) if base in titles else words.LOST_MODEL)
    found = setting(view, view.form.config(values), same_as(studio.runs, run_id, titles))
    return {**found, **show_presets(studio, view, ""), view.told: told(" ".join(sentences))}


def save(studio: Studio, view: View, shell: Any, name: Any, *values: Any) -> dict[Any, Any]:
    """Keep the settings as they are on the page."""
    preset = Presets(studio.workspace).save(name, view.form.config(values))
    return {**show_presets(studio, view, preset.id), view.name: "", view.told: told(words.SAVED.format(name=preset.name))}


def rename(studio: Studio, view: View, shell: Any, own: Any, name: Any) -> dict[Any, Any]:
    """Give the chosen preset the name that was written."""
    preset = Presets(studio.workspace).rename(own, name)
    return {**show_presets(studio, view, preset.id), view.name: "", view.told: told(words.RENAMED.format(name=preset.name))}


def bring(studio: Studio, view: View, shell: Any, path: Any) -> dict[Any, Any]:
    """Read a preset from an uploaded file."""
    if not isinstance(path, str) or not path:
        raise StudioError("No preset was read.", "No file arrived.", "Choose one file and try again.")
    with open(path, "rb") as handle:
        data = handle.read(MAX_BYTES + 1)
    found = Presets(studio.workspace).import_(data)
    sentences = [words.IMPORTED.format(name=found.preset.name), *found.left_out]
    return {**show_presets(studio, view, ""), view.told: told(" ".join(sentences))}


def export(studio: Studio, view: View, shell: Any, own: Any) -> dict[Any, Any]:
    """Write the chosen preset as a file and offer it; the page saves it right away."""
    presets = Presets(studio.workspace)
    preset = presets.get(own)
    folder = studio.workspace.root / "uploads" / f"preset-{preset.id}"  # the only folder that is served
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    path = folder / f"{slug(preset.name)}.preset.json"
    path.write_bytes(presets.export(preset.id))
    return {
        view.export: gr.update(visible=False),
        view.file: gr.update(value=str(path), label=words.EXPORT_AGAIN.format(name=path.name), visible=True),
    }


def ask_delete(studio: Studio, view: View, shell: Any, own: Any) -> dict[Any, Any]:
    """Ask before the chosen preset is deleted."""
    preset = Presets(studio.workspace).get(own)
    question = Markup("<p>{}</p>").format(words.DELETE_ASK.format(name=preset.name))
    return {view.asking: gr.update(visible=True), view.ask: pieces.show(question)}


def delete(studio: Studio, view: View, shell: Any, own: Any) -> dict[Any, Any]:
    """Delete the chosen preset; the settings on the page stay."""
    Presets(studio.workspace).delete(own)
    return {**show_presets(studio, view, ""), view.told: told(words.DELETED)}


def keep(studio: Studio, view: View, shell: Any) -> dict[Any, Any]:
    """Nothing is deleted."""
    return {view.asking: gr.update(visible=False)}


# ---- what is shown


def compared(view: View, config: RunConfig) -> dict[Any, Any]:
    """What differs from the defaults; while a setting has a fault, that nothing can be compared."""
    try:
        found = differences(config.validate())
    except ConfigError:
        return {view.head: pieces.show(title([])), view.listed: pieces.show(pieces.small(words.FAULTY))}
    return {
        view.head: pieces.show(title(found)),
        view.listed: pieces.show(listed(found)),
        view.all_back: gr.update(visible=len(found) > 1),
    }


def setting(view: View, before: RunConfig, after: RunConfig) -> dict[Any, Any]:
    """Updates of the controls whose value changes, and what differs then."""
    old = view.form.updates(before)
    moved = {control: update for control, update in view.form.updates(after).items() if update != old[control]}
    return {**moved, **compared(view, after)}


def nothing_chosen(view: View) -> dict[Any, Any]:
    """Neither a preset nor a run stands for the settings on the page any more."""
    return {
        view.own: gr.update(value=""),
        view.run: gr.update(value=""),
        view.chosen: gr.update(visible=False),
        view.rename: gr.update(visible=False),
        view.asking: gr.update(visible=False),
        view.told: pieces.show(""),
    }


def show_presets(studio: Studio, view: View, chosen: Any) -> dict[Any, Any]:
    """The person's presets in their list, and what can be done with the chosen one."""
    found: list[Preset] = Presets(studio.workspace).list()
    chosen = chosen if chosen in {preset.id for preset in found} else ""
    choices = [(words.NO_OWN if found else words.OWN_EMPTY, ""), *((preset.name, preset.id) for preset in found)]
    return {
        view.own: gr.update(choices=choices, value=chosen),
        view.chosen: gr.update(visible=bool(chosen)),
        view.rename: gr.update(visible=bool(chosen)),
        view.export: gr.update(visible=True),
        view.file: gr.update(visible=False, value=None),
        view.asking: gr.update(visible=False),
    }


def show_runs(studio: Studio, view: View, chosen: Any) -> dict[Any, Any]:
    """The runs whose settings can be read, newest first."""
    choices = []
    for run_id, status in studio.runs.statuses().items():
        with contextlib.suppress(StudioError):  # a damaged folder; the Library shows it
            choices.append((f"{studio.runs.config(run_id).name}, {pieces.moment(status.created_at)}", run_id))
    kept = chosen if chosen in [run_id for _, run_id in choices] else ""
    return {view.run: gr.update(choices=[(words.NO_RUN if choices else words.NO_RUNS, ""), *choices], value=kept)}


def told(text: str) -> dict[str, Any]:
    """The line that says what was done, read out by a screen reader."""
    return pieces.show(Markup('<p class="small" role="status">{}</p>').format(text))
