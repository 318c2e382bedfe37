"""A data set of the Hugging Face Hub by its name: looked at first, fetched only when a person asks for it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gradio as gr
from markupsafe import Markup

from studio.data.hub import About, Hub
from studio.data.spill import Telling
from studio.drafts import Opened
from studio.errors import Stopped, StudioError
from studio.records import Provenance
from studio.ui import pieces
from studio.ui import words_data as words
from studio.ui.data_parts import show_draft
from studio.ui.guard import components
from studio.ui.workbench import taking
from studio.workspace import gib

if TYPE_CHECKING:
    from studio.ui.studio import Studio
    from studio.ui.tabs.data import View

POLL = 0.5  # seconds


@dataclass(frozen=True)
class HubBox:
    """The area's components. `about` holds what the Hub said, for fetching just that."""

    link: gr.Button
    area: gr.Column
    name: gr.Textbox
    look: gr.Button
    facts: gr.HTML
    config: gr.Dropdown
    split: gr.Dropdown
    fetch: gr.Button
    stop: gr.Button
    progress: gr.HTML


@dataclass
class Fetching:
    """One fetch on its way, behind the page."""

    stop: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    sentence: str = ""
    result: Any = None
    error: BaseException | None = None


def build(link: gr.Button) -> HubBox:
    """Layout only; `link` opens the area and stands elsewhere."""
    with gr.Column(elem_classes="card", min_width=0, visible=False) as area:
        name = gr.Textbox(label=words.HUB_NAME, info=words.HUB_HELP, max_length=200, max_lines=1, interactive=True)
        with pieces.buttons():
            look = gr.Button(words.HUB_LOOK, size="sm")
        facts = pieces.html("", elem_classes="hidden-empty")
        with pieces.pair():
            config = gr.Dropdown([], label=words.HUB_CONFIG, visible=False, interactive=True, filterable=False)
            split = gr.Dropdown([], label=words.HUB_SPLIT, visible=False, interactive=True, filterable=False)
        with pieces.buttons():
            fetch = gr.Button(words.HUB_FETCH, size="sm", variant="primary", visible=False)
            stop = gr.Button(words.HUB_STOP, size="sm", visible=False)
        progress = pieces.html("", elem_classes="hidden-empty")
    return HubBox(link, area, name, look, facts, config, split, fetch, stop, progress)


def connect(on: Any, view: View, shell: Any) -> None:
    """Wiring only."""
    own = view.hub
    on(own.link.click, open_area, outputs=[own.area])
    away = {"concurrency_id": "hub", "concurrency_limit": 4}
    here = {"outputs": components(own)}
    on(own.look.click, look, [own.name], show_progress_on=own.look, **away, **here)
    on(own.name.submit, look, [own.name], show_progress_on=own.look, **away, **here)
    on(own.config.input, look, [own.name, own.config], show_progress_on=own.config, **away, **here)
    on(own.fetch.click, fetch, [own.name, own.config, own.split, shell.model_id], **away)
    on(own.stop.click, stop, outputs=[])


# ---- handlers


def open_area(studio: Studio, view: View, shell: Any) -> dict[Any, Any]:
    """Show the box for a name."""
    return {view.hub.area: gr.update(visible=True)}


def look(studio: Studio, view: View, shell: Any, name: Any, config: Any = "") -> dict[Any, Any]:
    """What the Hub says of a data set; nothing of its rows is fetched."""
    own, about = view.hub, Hub(studio.workspace).look(pieces.typed(name), pieces.typed(config))
    return {
        own.facts: pieces.show(facts(about)),
        own.config: gr.update(visible=len(about.configs) > 1, choices=list(about.configs), value=about.config or None),
        own.split: gr.update(visible=bool(about.splits), choices=splits(about), value=next(iter(about.splits), None)),
        own.fetch: gr.update(visible=bool(about.splits)),
        own.progress: pieces.show(""),
    }


def fetch(studio: Studio, view: View, shell: Any, *values: Any) -> Iterator[dict[Any, Any]]:
    """Bring one split here, telling how far it is, and open it as a draft."""
    name, config, split, model_id = values
    own, work, source = view.hub, Fetching(), Hub(studio.workspace)
    folder = studio.workspace.new_folder("cache", "hub")
    studio.background.hub = work
    asked = (work, source, pieces.typed(name), pieces.typed(config), pieces.typed(split), folder)
    threading.Thread(target=bring, args=asked, name="fetch-hub", daemon=True).start()
    try:
        while not work.done.wait(POLL):
            yield {
                own.progress: pieces.show(pieces.waiting(words.HUB_FETCHING, work.sentence)),
                own.stop: gr.update(visible=True),
                own.fetch: gr.update(interactive=False),
            }
        yield {own.progress: pieces.show(""), own.stop: gr.update(visible=False), own.fetch: gr.update(interactive=True)}
        if work.error:
            raise work.error
        about, fetched = work.result
        origin = Provenance(origin=words.HUB_ORIGIN.format(name=about.name, revision=about.revision), licence="other")
        notes = f"Licence on the Hub: {about.licence}" if about.licence else ""
        said = {**origin.to_json(), "notes": notes}
        shown = f"{about.name.replace('/', ' ')}{fetched.path.suffix}"

        def keep(telling: Telling) -> Opened:
            return studio.drafts.take_fetched(fetched.path, shown, telling, provenance=said)

        for found in taking.taken(studio, view.taking, keep):
            opened = isinstance(found, Opened)
            yield show_draft(studio, view, found, model_id) | {own.area: gr.update(visible=False)} if opened else found
    finally:
        work.stop.set()
        shutil.rmtree(folder, ignore_errors=True)


def stop(studio: Studio, view: View, shell: Any) -> dict[Any, Any]:
    """End the fetch."""
    work = studio.background.hub
    if work:
        work.stop.set()
    return {}


# ---- inside


def bring(work: Fetching, hub: Hub, name: str, config: str, split: str, folder: Any) -> None:
    """Look once more and fetch, in a thread of its own, so that the handler can tell how far it is."""

    def tell(progress: Any) -> None:
        work.sentence = progress.sentence

    try:
        about = hub.look(name, config, work.stop.is_set)
        work.result = (about, hub.fetch(about, split, folder, progress=tell, stop=work.stop.is_set))
    except (StudioError, Stopped, OSError) as error:
        work.error = error
    finally:
        work.done.set()


def facts(about: About) -> Markup:
    """Licence, size and gate, before anything is fetched."""
    size = sum(about.splits.values()) or about.size
    return pieces.facts(
        {
            words.HUB_LICENCE: about.licence or words.HUB_NO_LICENCE,
            words.HUB_SIZE: gib(size) if size else "",
            words.HUB_GATE: words.HUB_GATED if about.gated else "",
            words.HUB_COMMIT: about.revision[:10],
        }
    )


def splits(about: About) -> list[tuple[str, str]]:
    """The parts with their sizes."""
    return [(f"{name}, {gib(size)}" if size else name, name) for name, size in about.splits.items()]
