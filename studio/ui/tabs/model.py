"""2 Model: what to start from, what it should get better at, and whether that fits this computer."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import gradio as gr
from markupsafe import Markup

from studio.config import RunConfig, all_settings
from studio.errors import StudioError
from studio.models.catalog import ModelEntry
from studio.models.hardware import Hardware, hardware
from studio.models.memory import Estimate, RowSizes, estimate
from studio.records import Dataset
from studio.ui import pieces, plan, queue_parts, words
from studio.ui.form import Form, advanced_names, by_section, control
from studio.ui.guard import Wiring, told
from studio.ui.studio import Studio
from studio.ui.tokens import Sizes
from studio.workspace import display_name


@dataclass(frozen=True)
class View:
    """The tab's components. `state` holds which next step and which fetch the page shows, so that a tick changes nothing else."""

    notice: gr.HTML
    state: gr.State
    models: gr.HTML
    fetch: gr.HTML
    fetch_again: gr.Button
    earlier: gr.Dropdown
    folder: gr.Textbox
    add: gr.Button
    form: Form
    name: gr.Textbox
    memory: gr.HTML
    preview: gr.HTML
    next_note: gr.HTML
    next: gr.Button


def build() -> View:
    """Layout only."""
    settings = all_settings()
    made: dict[str, Any] = {"state": gr.State("")}
    controls: dict[str, Any] = {}
    pieces.html(pieces.purpose(words.MODEL_PURPOSE))
    made["notice"] = pieces.notice_area()
    with pieces.split():
        with pieces.work():
            with pieces.card():
                pieces.html(pieces.head(words.START_FROM))
                made["models"] = pieces.html(js_on_load=plan.MODELS_JS)
                made["fetch"] = pieces.html(elem_classes="hidden-empty")
                with pieces.buttons():
                    made["fetch_again"] = gr.Button(words.FETCH_AGAIN, size="sm", visible=False)
                made["earlier"] = gr.Dropdown(
                    [(words.NO_EARLIER, "")],
                    value="",
                    label=words.EARLIER,
                    info=words.EARLIER_HINT,
                    visible=False,
                    interactive=True,
                )
                with gr.Accordion(words.ADD_MODEL, open=False, elem_classes="quiet-details"):
                    made["folder"] = gr.Textbox(
                        label=words.ADD_MODEL_LABEL, info=words.ADD_MODEL_HINT, max_length=1000, interactive=True
                    )
                    with pieces.buttons():
                        made["add"] = gr.Button(words.ADD_MODEL_GO, size="sm")
            with pieces.card():
                about = {"interactive": True, "elem_classes": "choices"}
                goal = settings["goal"]
                controls["goal"] = gr.Radio(plan.goal_choices(), value=goal.default, label=goal.label, info=goal.help, **about)
                depth = settings["depth"]
                about["elem_classes"] = ["choices", "three"]
                controls["depth"] = gr.Radio(plan.depth_choices({}), value=depth.default, label=depth.label, **about)
            with pieces.card():
                controls["r"] = control(settings["r"])
                controls["quantization"] = control(settings["quantization"])
            with pieces.card():
                made["memory"] = pieces.html(pieces.head(words.MEMORY_TITLE))
            _build_advanced(controls)
        with pieces.side():
            made["name"] = gr.Textbox(label=words.RUN_NAME, max_length=80, interactive=True)
            made["preview"] = pieces.html(plan.nothing_yet())
    made["next_note"], made["next"] = pieces.next_step(words.FIRST_DATA, words.NOTHING_LEAVES, enabled=False)
    order = [name for name in settings if name in controls]
    return View(form=Form({name: controls[name] for name in order}), **made)


def _build_advanced(controls: dict[str, Any]) -> None:
    with pieces.card("advanced-only"):
        pieces.html(pieces.head(words.ADVANCED_TITLE, words.ADVANCED_NOTE))
        for title, items in by_section(advanced_names()).items():
            pieces.html(Markup("<h3>{}</h3>").format(title))
            with gr.Row(elem_classes="pair settings"):
                for item in items:
                    controls[item.name] = control(item)


def connect(studio: Studio, view: View, shell: Any) -> None:
    """Wiring only."""
    on = Wiring(studio, view, shell)
    chosen = [shell.dataset_id, shell.model_id, *view.form.inputs]
    changed = on(shell.dataset_id.change, new_data, [shell.dataset_id], keep_notice=True)
    for trigger in (changed.then, shell.model_id.change, shell.panes["model"].select):
        on(trigger, redraw, chosen, keep_notice=True)
    on(view.models.select, choose_model, [*chosen], event=True)
    for box in view.form.inputs:
        wait = {"trigger_mode": "always_last"}
        trigger = box.release if isinstance(box, gr.Slider) else box.input
        on(trigger, show_plan, chosen, **wait)
        if isinstance(box, gr.Slider):
            on(box.input, show_plan, chosen, **wait)
    on(view.add.click, add_model, [view.folder, *chosen], show_progress_on=view.models)
    on(view.folder.submit, add_model, [view.folder, *chosen], show_progress_on=view.models)
    on(view.fetch_again.click, fetch_again, [shell.model_id])
    on(view.next.click, go_on, [*chosen, view.earlier, view.name])
    for trigger in (shell.panes["model"].select, shell.model_id.change):
        on(trigger, offer_earlier, [shell.model_id, view.earlier], keep_notice=True)
    depth = view.form.controls["depth"]
    watched = [view.next, view.next_note, view.fetch, view.fetch_again, view.models, view.memory, view.preview, depth, view.state]
    quick = {"outputs": watched, "queue": False, "keep_notice": True, "trigger_mode": "always_last"}
    on(shell.pulse.beat_model, tick, [view.state, *chosen], **quick)


# ---- what is shown


def refresh(studio: Studio, view: View, shell: Any, dataset_id: str | None, model_id: str, run_id: str | None) -> dict[Any, Any]:
    """Nothing: the plan needs the settings as they are on the page, so it is drawn by `redraw` and `tick`."""
    return {}


def new_data(studio: Studio, view: View, shell: Any, dataset_id: Any) -> dict[Any, Any]:
    """Other examples were chosen: their goal becomes the run's, and their name, where the person writes none."""
    record = data_of(studio, dataset_id)
    if record is None:
        return {view.preview: pieces.show(plan.nothing_yet()), view.name: gr.update(placeholder="")}
    return {view.name: gr.update(placeholder=record.name), view.form.controls["goal"]: gr.update(value=record.goal)}


def data_of(studio: Studio, dataset_id: Any) -> Dataset | None:
    """The chosen data set while it exists."""
    return studio.datasets.get(dataset_id) if dataset_id in studio.datasets.ids() else None


def show_next(studio: Studio, view: View, record: Dataset | None, time: str = "") -> dict[Any, Any]:
    """The primary button names what comes next, or what is missing."""
    if record is None:
        return {
            view.next: gr.update(value=words.FIRST_DATA, interactive=False),
            view.next_note: pieces.next_note(words.NOTHING_LEAVES),
        }
    turns = studio.runs.turns()
    if turns.live or turns.waiting:
        note = words.QUEUE_NOTE_STILL
        if turns.live:
            note = words.QUEUE_NOTE.format(name=queue_parts.name_of(studio, turns.live))
        return {view.next: gr.update(value=words.ADD_TO_QUEUE, interactive=True), view.next_note: pieces.next_note(note)}
    note = f"{plan.sentence(time)} {words.TRAIN_NOTE}" if time else words.TRAIN_NOTE
    return {view.next: gr.update(value=words.TRAIN_NOW, interactive=True), view.next_note: pieces.next_note(note)}


def show_plan(studio: Studio, view: View, shell: Any, dataset_id: Any, model_id: str, *values: Any) -> dict[Any, Any]:
    """Estimate anew after a change. Raises ConfigError with every fault."""
    entry = studio.catalog.get(model_id)
    record = data_of(studio, dataset_id)
    config = view.form.config(values).validate()
    computer = hardware()
    sizes = row_sizes(studio, record, entry, config)
    fits = {item.id: reckon(config, item, record, sizes, computer) for item in studio.catalog.entries()}
    mine = fits[model_id]
    changes = {
        view.models: pieces.show(plan.model_list(studio.catalog.entries(), model_id, fits, computer.working_memory)),
        view.memory: pieces.show(plan.memory_picture(mine, computer)),
    }
    if record is None:
        return changes | show_next(studio, view, None)
    seconds = {}
    for depth in words.DEPTH_WORDS:
        seconds[depth] = reckon(config.replace(depth=depth, num_train_epochs=0), entry, record, sizes, computer).seconds
    rows, kept = record.counts.get("train", 0), record.counts.get("validation", 0)
    return {
        **changes,
        view.form.controls["depth"]: gr.update(choices=plan.depth_choices(seconds)),
        view.preview: pieces.show(plan.preview(mine, entry, rows, kept, studio.workspace.root)),
        **show_next(studio, view, record, pieces.duration(mine.seconds)),
    }


def row_sizes(studio: Studio, record: Dataset | None, entry: ModelEntry, config: RunConfig) -> Sizes:
    """How long the rows are for this model. They are tokenised only where that makes nobody wait for a library."""
    if record is None:
        return Sizes(100.0, config.data.max_length, 0, False)
    return studio.tokens.sizes(
        record.id,
        entry.id,
        max_length=config.data.max_length,
        system_prompt=config.data.system_prompt,
        chat_template=config.model.chat_template,
        measure=entry.ready and studio.warmed(),
    )


def reckon(config: RunConfig, entry: ModelEntry, record: Dataset | None, sizes: Sizes, computer: Hardware) -> Estimate:
    """The core's estimate for one model."""
    counts = record.counts if record else {}
    rows = max(1, counts.get("train", 0))
    found = RowSizes(rows, counts.get("validation", 0), sizes.mean, sizes.longest, sizes.shared)
    return estimate(config, entry, found, computer)


# ---- handlers


def choose_model(studio: Studio, view: View, shell: Any, event: gr.EventData, dataset_id: Any, _: str, *values: Any) -> dict:
    """Another model to start from."""
    entry = studio.catalog.get(str(getattr(event, "id", "")))
    if entry.trouble:
        raise StudioError("This model cannot be used.", entry.trouble, "Add its folder again, or pick another model.")
    return {**show_plan(studio, view, shell, dataset_id, entry.id, *values), shell.model_id: entry.id}


def add_model(studio: Studio, view: View, shell: Any, path: Any, dataset_id: Any, _: str, *values: Any) -> dict[Any, Any]:
    """Register a transformers folder on this computer and choose it."""
    if not isinstance(path, str) or not path.strip():
        raise StudioError(
            "No model was added.", "No folder is named.", "Write the folder's full path, such as /home/me/models/mine."
        )
    entry = studio.catalog.register_local(path.strip())
    plain = show_plan(studio, view, shell, dataset_id, entry.id, *values)
    return {**plain, view.folder: gr.update(value=""), shell.model_id: entry.id}


def offer_earlier(studio: Studio, view: View, shell: Any, model_id: str, chosen: Any) -> dict[Any, Any]:
    """The runs of this model that can go on learning, newest first."""
    runs = studio.runs
    choices = [(words.NO_EARLIER, "")]
    for run_id, status in runs.statuses().items():
        with contextlib.suppress(StudioError):  # a damaged folder; the Library shows it
            config = runs.config(run_id)
            if not status.live and runs.adapter(run_id) and config.model.base_model == model_id:
                choices.append((f"{config.name}, {pieces.moment(status.created_at)}", run_id))
    kept = chosen if chosen in [run_id for _, run_id in choices] else ""
    return {view.earlier: gr.update(choices=choices, value=kept, visible=len(choices) > 1)}


def fetch_again(studio: Studio, view: View, shell: Any, model_id: str) -> dict[Any, Any]:
    """Try once more after a fetch failed."""
    studio.prefetch(model_id)
    return {view.state: "", view.fetch_again: gr.update(visible=False)}


def go_on(studio: Studio, view: View, shell: Any, dataset_id: Any, model_id: str, *values: Any) -> dict[Any, Any]:
    """Train now, or line up behind the runs that train and wait; then look at the one that trains."""
    *settings, earlier, name = values
    if trouble := studio.catalog.get(model_id).trouble:
        raise StudioError("Training did not start.", trouble, "Add its folder again, or pick another model.")
    record = data_of(studio, dataset_id)
    if record is None:
        raise StudioError("Training did not start.", "There are no examples yet.", "Add some in step 1.")
    config = view.form.config(settings, base_model=model_id, dataset_id=record.id, dataset_sha256=record.sha256)
    config = config.replace(start_from=earlier if isinstance(earlier, str) else "")
    named = name if isinstance(name, str) and name.strip() else record.name
    config = config.replace(name=display_name(named, record.name)).validate()
    run_id = studio.jobs.start(config, queue=True)
    return {shell.run_id: studio.jobs.running() or run_id, view.name: "", **shell.go("train")}


def tick(studio: Studio, view: View, shell: Any, state: Any, dataset_id: Any, model_id: str, *values: Any) -> dict[Any, Any]:
    """Once a second: how the fetch goes, and whether a run came or went. Sends nothing while all stays as it is."""
    progress, trouble = studio.fetch_progress(model_id), studio.fetch_trouble(model_id)
    on_its_way = progress is not None and progress.phase != "ready"
    fetch = f"{progress.sentence} {progress.done}" if on_its_way and progress else trouble.what if trouble else ""
    turns = studio.runs.turns()
    ready = studio.catalog.get(model_id).ready, studio.warmed()
    now = "|".join(map(str, (turns.live, bool(turns.waiting), dataset_id, model_id, *ready, fetch)))
    if now == state:
        return {}
    changes: dict[Any, Any] = {view.state: now, view.fetch: pieces.show("")}
    if on_its_way and progress:
        changes[view.fetch] = pieces.show(plan.fetch_state(progress.done, progress.total, progress.sentence))
    elif trouble:
        changes[view.fetch] = pieces.show(told(trouble))
    changes[view.fetch_again] = gr.update(visible=bool(trouble) and not on_its_way)
    if str(state or "").rpartition("|")[0] != now.rpartition("|")[0]:
        changes |= redraw(studio, view, shell, dataset_id, model_id, *values)
    return changes


def redraw(studio: Studio, view: View, shell: Any, dataset_id: Any, model_id: str, *values: Any) -> dict[Any, Any]:
    """The plan as far as the settings can be used; faults are told when the person changes something, not by themselves."""
    try:
        return show_plan(studio, view, shell, dataset_id, model_id, *values)
    except StudioError:
        return show_next(studio, view, data_of(studio, dataset_id))
