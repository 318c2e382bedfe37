"""2 Model: what to start from, what it should get better at, and whether that fits this computer."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr
from markupsafe import Markup

from studio.config import all_settings
from studio.errors import StudioError
from studio.models.hub import look, remember
from studio.records import Dataset
from studio.ui import pieces, plan, queue_parts, words
from studio.ui.form import Form, advanced_names, by_section, control
from studio.ui.guard import Wiring, any_of, components, in_turn
from studio.ui.modeling import fetching, fitting, more, presets, rows
from studio.ui.modeling.meaning import meaning
from studio.ui.modeling.reckoning import Plan, data_of, others, plan_of
from studio.ui.studio import Studio
from studio.workspace import display_name

STALE_JS = "watch('value', () => trigger('stale'));"


@dataclass(frozen=True)
class View:
    """The tab's components. `state` holds which next step and which fetch the page shows, so that a tick changes nothing else.

    `stale` fires its event "stale" on the page whenever its value changes: the plan is to be drawn anew.
    """

    notice: gr.HTML
    state: gr.JSON
    stale: gr.HTML
    models: gr.HTML
    about: gr.HTML
    fetching: fetching.Fetching
    more: more.More
    earlier: gr.Dropdown
    folder: gr.Textbox
    add: gr.Button
    form: Form
    meaning: gr.HTML
    presets: presets.View
    name: gr.Textbox
    fitting: fitting.Fitting
    preview: gr.HTML
    next_note: gr.HTML
    next: gr.Button


def build() -> View:
    """Layout only."""
    settings = all_settings()
    made: dict[str, Any] = {"state": pieces.held([])}
    controls: dict[str, Any] = {}
    pieces.html(pieces.purpose(words.MODEL_PURPOSE))
    made["notice"] = pieces.notice_area()
    made["stale"] = pieces.html("", js_on_load=STALE_JS, elem_classes="hidden-empty")
    with pieces.split():
        with pieces.work():
            with pieces.card():
                _build_models(made)
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
                made["meaning"] = pieces.html()
            with pieces.card():
                made["fitting"] = fitting.build()
            made["presets"] = presets.build()
            _build_advanced(controls)
        with pieces.side():
            made["name"] = gr.Textbox(label=words.RUN_NAME, max_length=80, interactive=True)
            made["preview"] = pieces.html(plan.nothing_yet())
    made["next_note"], made["next"] = pieces.next_step(words.FIRST_DATA, words.NOTHING_LEAVES, enabled=False)
    order = [name for name in settings if name in controls]
    return View(form=Form({name: controls[name] for name in order}), **made)


def _build_models(made: dict[str, Any]) -> None:
    pieces.html(pieces.head(words.START_FROM))
    made["models"] = pieces.html(js_on_load=rows.ROWS_JS)
    made["about"] = pieces.html(js_on_load=pieces.UNFOLDED_JS, elem_classes="hidden-empty")
    made["fetching"] = fetching.build()
    made["earlier"] = gr.Dropdown(
        [(words.NO_EARLIER, "")], value="", label=words.EARLIER, info=words.EARLIER_HINT, visible=False, interactive=True
    )
    made["more"] = more.build()
    with gr.Accordion(words.ADD_MODEL, open=False, elem_classes="quiet-details"):
        made["folder"] = gr.Textbox(label=words.ADD_MODEL_LABEL, info=words.ADD_MODEL_HINT, max_length=1000, interactive=True)
        with pieces.buttons():
            made["add"] = gr.Button(words.ADD_MODEL_GO, size="sm")


def _build_advanced(controls: dict[str, Any]) -> None:
    with pieces.card("advanced-only"):
        pieces.html(pieces.head(words.ADVANCED_TITLE, words.ADVANCED_NOTE))
        for title, items in by_section(advanced_names()).items():
            pieces.html(Markup("<h3>{}</h3>").format(title))
            with gr.Row(elem_classes="pair settings"):
                for item in items:
                    controls[item.name] = control(item)


def connect(studio: Studio, view: View, shell: Any) -> None:
    """Wiring only. All that draw the plan do so in turn: the last one has seen the newest settings, and stands."""
    on = Wiring(studio, view, shell)
    planned = partial(on, **in_turn("model"))
    chosen = [shell.dataset_id, shell.model_id, *view.form.inputs]
    news = {"outputs": [view.name, view.form.controls["goal"], view.preview, view.stale], "keep_notice": True}
    planned(shell.dataset_id.change, new_data, [shell.dataset_id], **news)
    # these set settings or the model, which the boxes' own events do not tell of
    setting = [*fitting.connect(on, view, shell, chosen), *presets.connect(studio, view.presets, shell, view.form)]
    setting.append(fetching.connect(on, view, shell))
    for trigger in (shell.panes["model"].select, view.stale.stale, *(done.then for done in setting)):
        planned(trigger, redraw, chosen, keep_notice=True)
    for listed in (view.models, view.more.known):
        planned(listed.select, choose_model, chosen, event=True)
    away = {"concurrency_id": "hub", "concurrency_limit": 4}  # the Hub takes seconds
    on(view.more.found.select, choose_found, chosen, event=True, show_progress_on=view.more.found, **away)
    alone = [box for name, box in view.form.controls.items() if name not in presets.FOLLOWED]
    planned(any_of(*(trigger for box in alone for trigger in altering(box))), show_plan, chosen)
    for trigger in (view.add.click, view.folder.submit):
        planned(trigger, add_model, [view.folder, *chosen], show_progress_on=view.models)
    more.connect(on, view, shell, chosen)
    on(view.next.click, go_on, [*chosen, view.earlier, view.name])
    for trigger in (shell.panes["model"].select, shell.model_id.change):
        on(trigger, offer_earlier, [shell.model_id, view.earlier], outputs=[view.earlier], keep_notice=True)
    ticked = [*components(view.fetching), view.state, view.stale]
    quick = {"outputs": ticked, "queue": False, "keep_notice": True, "trigger_mode": "always_last"}
    # the fetch is shown by this one alone: a plan takes seconds at times, and would bring back what it saw at its start
    for trigger in (shell.pulse.beat_model, shell.model_id.change):
        on(trigger, tick, [view.state, shell.dataset_id, shell.model_id], **quick)


def altering(box: Any) -> list[Any]:
    """The events of a control after which its value may be another. A text is planned with once it is left."""
    if isinstance(box, gr.Textbox):
        return [box.blur]
    return [box.input, box.release] if isinstance(box, gr.Slider) else [box.input]


# ---- what is shown


def new_data(studio: Studio, view: View, shell: Any, dataset_id: Any) -> dict[Any, Any]:
    """Other examples were chosen: their goal becomes the run's, and their name, where the person writes none."""
    record = data_of(studio, dataset_id)
    if record is None:
        return {view.preview: pieces.show(plan.nothing_yet()), view.name: gr.update(placeholder=""), **stale(view, dataset_id)}
    goal = {view.form.controls["goal"]: gr.update(value=record.goal)}
    return {view.name: gr.update(placeholder=record.name), **goal, **stale(view, dataset_id)}


def stale(view: View, reason: Any) -> dict[Any, Any]:
    """The plan is to be drawn anew, once for each `reason`. Only where the tab was opened before: opening it draws the plan."""
    return {view.stale: pieces.show(Markup("<!-- {} -->").format(reason))}


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
    now = plan_of(studio, view.form, dataset_id, model_id, values)
    mine = now.estimate
    changes = {
        view.models: pieces.show(model_list(studio, now)),
        view.about: pieces.show(more.about_model(now.entry)),
        **fitting.show(view, now, now.changes(others(studio))),
        view.meaning: pieces.show(meaning(now.config, now.entry, now.sizes.rows if now.record else 0, now.number_bytes)),
    }
    if now.record is None:
        return changes | show_next(studio, view, None)
    seconds = {depth: now.with_depth(depth).seconds for depth in words.DEPTH_WORDS}
    return {
        **changes,
        view.form.controls["depth"]: gr.update(choices=plan.depth_choices(seconds)),
        view.preview: pieces.show(plan.preview(now, studio.workspace.root)),
        **show_next(studio, view, now.record, pieces.duration(mine.seconds)),
    }


def model_list(studio: Studio, now: Plan) -> Markup:
    """The models on this computer, and the chosen one where it is not here yet."""
    entries = studio.catalog.entries()
    if now.entry.id not in [entry.id for entry in entries]:
        entries = [now.entry, *entries]
    free = now.computer.working_memory
    made = [rows.row_of(entry, now.of(entry).estimate, free) for entry in entries]
    return rows.radio_rows(made, now.entry.id, words.START_FROM, "base-model")


# ---- handlers


def choose_model(studio: Studio, view: View, shell: Any, event: gr.EventData, dataset_id: Any, _: str, *values: Any) -> dict:
    """Another model to start from."""
    entry = studio.catalog.get(str(getattr(event, "id", "")))
    if entry.trouble:
        raise StudioError("This model cannot be used.", entry.trouble, "Add its folder again, or pick another model.")
    return {**show_plan(studio, view, shell, dataset_id, entry.id, *values), shell.model_id: entry.id}


def choose_found(studio: Studio, view: View, shell: Any, event: gr.EventData, dataset_id: Any, _: str, *values: Any) -> dict:
    """A model found on the Hub: its facts are asked for and kept, its weights are not fetched yet."""
    about = look(str(getattr(event, "id", "")), token=studio.token.value())
    entry = studio.catalog.get(remember(studio.workspace, about))
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


def tick(studio: Studio, view: View, shell: Any, state: Any, dataset_id: Any, model_id: str) -> dict[Any, Any]:
    """Once a second: how the fetch goes, and whether a run came or went. Sends nothing while all stays as it is.

    It overtakes the handlers that wait in turn, so it draws no plan; it marks the plan as stale.
    """
    turns, entry = studio.runs.turns(), studio.catalog.get(model_id)
    drawn = "|".join(
        map(str, (turns.live, bool(turns.waiting), dataset_id, model_id, entry.ready, studio.warmed(), studio.calibrated()))
    )
    now = [drawn, fetching.sign(studio, model_id)]
    if now == state:
        return {}
    changes: dict[Any, Any] = {view.state: now, **fetching.show(studio, view, entry)}
    if not isinstance(state, list) or not state or state[0] != drawn:
        changes |= stale(view, drawn)
    return changes


def redraw(studio: Studio, view: View, shell: Any, dataset_id: Any, model_id: str, *values: Any) -> dict[Any, Any]:
    """The plan as far as the settings can be used; faults are told when the person changes something, not by themselves."""
    try:
        return show_plan(studio, view, shell, dataset_id, model_id, *values)
    except StudioError:
        return show_next(studio, view, data_of(studio, dataset_id))
