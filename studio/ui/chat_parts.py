"""The parts of the Chat tab as HTML, and what it needs to know from the core: who can answer, who holds the computer."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from studio.errors import NotFound, StudioError
from studio.inference.engine import HOLDER
from studio.records import RunStatus
from studio.samples import sample
from studio.ui import pieces, run_parts, telling
from studio.ui import words_runs as words

if TYPE_CHECKING:
    from studio.ui.studio import Studio

LONGEST_CHIP = 90  # characters of a suggested question
CHIPS = 3

# keeps the newest words in sight unless the person scrolled up
TALK_JS = """
let near = true, asked = 0;
const box = () => element.querySelector('.talk');
const follow = () => {
  const talk = box();
  if (!talk) { asked = 0; return; }
  const turns = talk.querySelectorAll('.turn').length;
  if (near || turns !== asked) talk.scrollTop = talk.scrollHeight;
  asked = turns;
};
const watchScroll = () => { const talk = box(); near = !talk || talk.scrollTop + talk.clientHeight > talk.scrollHeight - 40; };
element.addEventListener('scroll', watchScroll, true);
watch('value', () => requestAnimationFrame(follow));
follow();
"""


@dataclass(frozen=True)
class Held:
    """Who holds the computer: a live run with its status and how many wait for it to end, or something else by name."""

    who: str
    run_id: str | None = None
    name: str = ""
    status: RunStatus | None = None
    after: int = 0

    @property
    def key(self) -> tuple[str, str | None, bool, int]:
        """Who it is; while this stays, only the progress can have moved."""
        return self.who, self.run_id, bool(self.status and self.status.adapter_step is not None), self.after

    @property
    def progress(self) -> tuple[Any, ...]:
        """How far it is, as it is shown."""
        status = self.status
        return (status.step, status.total_steps, status.detail, telling.time_left(status)) if status else ()


def held_by(studio: Studio) -> Held | None:
    """Who holds the computer, if it is somebody else than the chat of this app."""
    turns = studio.runs.turns()
    if run_id := turns.live:
        with contextlib.suppress(NotFound):  # it was discarded in this moment
            return Held("training", run_id, studio.runs.config(run_id).name, studio.runs.status(run_id), len(turns.waiting))
    holder = "" if studio.engine.opened else studio.lease.holder()
    # a chat in another process is told by the engine when it is opened; this one's may be loading in this moment
    return Held(holder) if holder and holder != HOLDER else None


def talkable(studio: Studio) -> list[tuple[str, str]]:
    """(name with its date, run id) of every run that has an adapter, newest first."""
    found = []
    for run_id in studio.runs.ids():
        if studio.runs.adapter(run_id) is None:
            continue
        try:
            name, status = studio.runs.config(run_id).name, studio.runs.status(run_id)
        except StudioError:
            continue  # its settings cannot be read: the Library shows it
        found.append((f"{name}, {pieces.moment(status.started_at or status.created_at)}", run_id))
    return found


def suggestions(studio: Studio, run_id: str) -> tuple[str, list[str]]:
    """A title and up to three questions the run has not learned from: the sample's own, or from rows kept aside."""
    try:
        dataset = studio.datasets.get(studio.runs.config(run_id).data.dataset_id)
        if dataset.sample:
            return words.TRY_THESE, [str(item) for item in sample(dataset.sample)["starter_questions"][:CHIPS]]
        rows = studio.datasets.rows(dataset.id, "validation")
    except (StudioError, KeyError):
        return "", []
    asked = [item["content"] for row in rows for item in row.messages[:2] if item["role"] == "user"]
    short = [text for text in dict.fromkeys(" ".join(text.split()) for text in asked) if 0 < len(text) <= LONGEST_CHIP]
    return (words.UNSEEN if short else ""), short[:CHIPS]


def chips_title(title: str) -> Markup:
    """The line above the suggestions."""
    return Markup('<h3 class="muted">{}</h3>').format(title) if title else Markup("")


def empty_card() -> Markup:
    """What stands there before there is anybody to talk to."""
    return Markup('<div class="card nothing"><h2>{}</h2><p class="muted">{}</p></div>').format(
        words.CHAT_NONE_TITLE, words.CHAT_NONE_TEXT
    )


def waiting(held: Held) -> Markup:
    """Who holds the computer, until when, how far it is."""
    until = telling.until(held.status) if held.status and not held.after else ""
    title = words.WAIT_TITLE.format(who=held.who, until=f" until about {until}" if until else "")
    when = words.WAIT_SELF.format(name=held.name) if held.name else words.WAIT_SELF_OTHER
    if held.after:
        when = words.WAIT_QUEUE.format(name=held.name, runs=pieces.count(held.after, "run"))
    text = f"{words.WAIT_TEXT} {when}"
    if not held.status:
        return pieces.waiting(title, text)
    status = held.status
    left = telling.time_left(status)
    told = f"Step {status.step} of {status.total_steps}" if status.total_steps else status.detail or "Getting ready"
    done = pieces.bar(f"step {status.step} of {status.total_steps}", [(telling.percent(status), "c-accent")], thin=True)
    line = pieces.small(told + (f", {left} left" if left else ""))
    return pieces.waiting(title, text, Markup("{}{}").format(done, line))


def opens_at(held: Held) -> str:
    """The label of the page's button while it waits."""
    until = telling.until(held.status) if held.status and not held.after else ""
    return f"Chat opens about {until}" if until else "Chat opens when it is free"


def meanwhile(studio: Studio, held: Held) -> Markup | str:
    """The newest sample answer of the run that trains."""
    samples = [item for item in studio.runs.samples(held.run_id) if item.step > 0] if held.run_id else []
    if not samples:
        return ""
    newest = next(item for item in samples if item.step == samples[-1].step)
    told = [{"role": "user", "content": newest.prompt}, {"role": "assistant", "content": newest.answer}]
    return Markup('<p class="muted">{}</p><div class="meanwhile">{}</div>').format(
        words.MEANWHILE.format(step=newest.step), pieces.bubbles(told)
    )


def who_answers(studio: Studio, run_id: str | None) -> Markup:
    """The card beside the conversation: which models, from which step."""
    title = Markup("<h2>{}</h2><hr>").format(words.WHO)
    if not run_id:
        return Markup("{}{}").format(title, pieces.small("Pick a trained model."))
    config, status = studio.runs.config(run_id), studio.runs.status(run_id)
    pairs = [
        ("Base", run_parts.model_title(studio, config.model.base_model)),
        ("Tuned", config.name),
        ("From", telling.which_step(status)),
    ]
    return Markup("{}{}<hr>{}").format(title, pieces.facts(pairs), pieces.small(words.SAME_WORDS))
