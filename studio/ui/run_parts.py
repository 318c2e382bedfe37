"""The parts of the Train tab as HTML, made from what is in the run folder. Every text of a person or model is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from studio.config import ModelConfig, RunConfig
from studio.errors import StudioError
from studio.fields import settings_of
from studio.records import RunStatus, Sample
from studio.training.reading import read_curve
from studio.ui import charts, pieces, telling
from studio.ui import words_runs as words
from studio.ui.modeling.spectrum import picture
from studio.workspace import gib

if TYPE_CHECKING:
    from studio.ui.studio import Studio

LONGEST_ANSWER = 400  # characters of a sample answer on the page
WIDE_ANSWER = 120  # beyond this many characters three columns of answers are too narrow
ANSWERS_AT = 3


def empty_card() -> Markup:
    """What stands there before the first run."""
    return Markup('<div class="card nothing"><h2>{}</h2><p class="muted">{}</p></div>').format(
        words.NO_RUN_TITLE, words.NO_RUN_TEXT
    )


def next_step(status: RunStatus, *, adapter: bool, queue: bool = False) -> tuple[str, str, bool]:
    """Note, label and usability of the page's primary button. `queue`: others start when this one ends."""
    if status.live:
        left = telling.time_left(status)
        label = words.NEXT_LATER.format(time=left) if left else words.NEXT_LATER_UNKNOWN
        return (words.NEXT_LATER_NOTE if adapter else ""), (words.NEXT_LATER_QUEUE if queue else label), False
    if status.waiting and not adapter:
        return "", words.NEXT_WAITING, False
    if not adapter:
        return words.NEXT_NOTHING_NOTE, words.NEXT_NOTHING, False
    if status.state == "finished":
        return words.NEXT_CHAT_NOTE, words.NEXT_CHAT, True
    return words.NEXT_CHAT_KEPT.format(step=telling.which_step(status).split(",")[0]), words.NEXT_CHAT, True


def progress(status: RunStatus) -> Markup:
    """Phases, the four numbers, the bar, and one sentence on what happens now."""
    sentence, look = telling.doing(status)
    shown = Markup('<p class="doing {}">{}{}</p>').format(
        "look" if look else "", pieces.mark("warn") if look else "", sentence or "\u00a0"
    )
    label = f"step {status.step} of {status.total_steps}" if status.total_steps else "no steps yet"
    colour = "c-accent" if status.live or status.state == "finished" else "c-slate"
    done = pieces.bar(label, [(telling.percent(status), colour)], thin=True)
    return Markup('{}<dl class="status">{}</dl>{}{}').format(phases(status), numbers(status), done, shown)


def phases(status: RunStatus) -> Markup:
    """The way through a run: ✓ for what is done, the present one marked."""
    if not status.live and status.state != "finished":
        text, kind = telling.state_tag(status)
        return Markup('<p class="phases">{}</p>').format(pieces.tag(text, kind))
    place = len(telling.PHASES) if status.state == "finished" else telling.PLACES.get(status.phase, 0)
    items = []
    for index, name in enumerate(telling.PHASES):
        current = Markup(' aria-current="step"') if index == place else ""
        items.append(Markup("<li{}>{}{}</li>").format(current, "✓ " if index < place else "", name))
    return Markup('<ol class="phases">{}</ol>').format(pieces.join(items))


def numbers(status: RunStatus) -> Markup:
    """Step, time, speed, memory."""
    unknown = Markup('<span class="muted">–<span class="sr">not known yet</span></span>')
    unit = Markup("{} <small>{}</small>")
    step = unit.format(status.step, f"of {status.total_steps}") if status.total_steps else unknown
    if status.live:
        left = status.eta_seconds
        time = ("Time left", unknown if left is None else "< 1 min" if left < 50 else telling.time_left(status, about=False))
        memory = status.memory_bytes
    else:
        took = status.training_seconds
        time = ("Time spent", unknown if not took else "< 1 min" if took < 50 else pieces.duration(took, about=False))
        memory = status.peak_memory_bytes or status.memory_bytes
    speed = unit.format(round(status.tokens_per_second), "tokens/s") if status.tokens_per_second else unknown
    size = unit.format(*gib(memory).split(" ")) if memory else unknown
    pairs = [("Step", step), time, ("Speed", speed), ("Memory" if status.live else "Most memory", size)]
    return pieces.join(Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(*pair) for pair in pairs)


def says(status: RunStatus, metrics: Sequence[dict[str, Any]]) -> Markup:
    """The curve in words, and what to do about it."""
    found = read_curve(metrics, status)
    advice = Markup("<p><b>{}</b> {}</p>").format(words.CURVE_DO, found.advice) if found.advice else ""
    return Markup('<div class="says"><h3>{}</h3><p>{}</p>{}</div>').format(words.CURVE_SAYS, found.says, advice)


def adapter_used(studio: Studio, run_id: str, status: RunStatus) -> Markup:
    """How much of the adapter's size was used, once a run has ended; nothing where there is no adapter to look at."""
    if status.live or status.waiting or not studio.runs.adapter(run_id):
        return Markup("")
    try:
        return Markup("<hr>") + picture(studio.spectrum(run_id))
    except StudioError:
        return Markup("")  # damaged or of another kind; the chat says so when it is used


def failure(status: RunStatus, saved: int | None) -> Markup:
    """What went wrong, why, what to do, and the number under which the log has more."""
    error = status.error or {}
    if not error:
        return Markup("")
    safe = Markup('<p class="small muted">{}</p>').format(
        telling.safe_part(status, saved) + (f" Error {error['id']}." if error.get("id") else "")
    )
    return pieces.notice(error.get("what", ""), error.get("why", ""), error.get("fix", ""), more=safe)


def lost(studio: Studio, run_id: str) -> Markup:
    """What discarding the run takes away and what it does not."""
    runs = studio.runs
    step = runs.status(run_id).step
    gone = [f"what it learned in {pieces.count(step, 'step')}"] if step else []
    gone += ["its adapter"] if runs.adapter(run_id) else []
    gone += ["its curve"] if runs.metrics(run_id) else []
    gone += ["its sample answers"] if runs.samples(run_id) else []
    named = f"{', '.join(gone[:-1])} and {gone[-1]}" if len(gone) > 1 else "".join(gone) or "the settings of this run"
    return Markup('<p role="alert"><b>{}</b><br>{} {}</p>').format(
        words.DISCARD_ASK.format(name=runs.config(run_id).name), words.DISCARD_STAYS, words.DISCARD_LOST.format(lost=named)
    )


def asked(samples: Sequence[Sample], status: RunStatus) -> Markup:
    """The sample questions with the base model's answers and those of a few checkpoints."""
    if not samples:
        return pieces.small(words.ASKED_LATER)
    answers = {(sample.prompt, sample.step): sample.answer for sample in samples}
    prompts = list(dict.fromkeys(sample.prompt for sample in samples))
    steps = answer_steps(samples, status.best_step)
    columns: list[Any] = ["Asked"]
    columns.append(Markup('<span class="dot base"></span>Base, for comparison'))
    best = status.best_step
    columns += [Markup('<span class="dot"></span>Step {}{}').format(at, ", best" if at == best else "") for at in steps]
    rows = []
    for prompt in prompts[:ANSWERS_AT]:
        shown = [pieces.lines(pieces.short(answers.get((prompt, at), "–"), LONGEST_ANSWER)) for at in [0, *steps]]
        rows.append([Markup("<b>{}</b>").format(pieces.short(prompt, LONGEST_ANSWER)), *shown])
    return pieces.table(columns, rows, cls="stack asked", classes=["", "basecell"], caption=words.ASKED_TITLE)


def answer_steps(samples: Sequence[Sample], best: int | None) -> list[int]:
    """At most three checkpoints: the first, one in the middle, and the best (or the last); two when answers are long."""
    steps = sorted({sample.step for sample in samples if sample.step > 0})
    longest = max((len(sample.answer) for sample in samples), default=0)
    most = ANSWERS_AT if longest <= WIDE_ANSWER else ANSWERS_AT - 1
    if len(steps) <= most:
        return steps
    last = best if best in steps else steps[-1]
    before = [step for step in steps if step < last] or [step for step in steps if step > last]
    picks = [before[0], before[len(before) // 2]] if most == ANSWERS_AT else [before[0]]
    return sorted({last, *picks})


def about(
    studio: Studio, run_id: str, config: RunConfig, status: RunStatus, saved: int | None, metrics: Sequence[dict[str, Any]]
) -> Markup:
    """The card about this run: its own settings, as they were when it started."""
    digits = dict(settings_of(ModelConfig)["quantization"].choices)
    best = charts.loss(status.best_validation_loss) if status.best_validation_loss is not None else ""
    base = charts.loss(status.base_validation_loss) if status.base_validation_loss is not None else ""
    pairs = [
        ("Name", config.name),
        ("Started", pieces.moment(status.started_at or status.created_at)),
        ("Model", model_title(studio, config.model.base_model)),
        ("Goes on from", earlier_name(studio, config.model.start_from)),
        ("Rows", str(status.train_rows or "")),
        ("Adapter size", str(config.adapter.r)),
        ("Memory saving", digits.get(config.model.quantization, config.model.quantization)),
        ("Loss before", base),
        ("Best loss", best),
        ("Kept", telling.which_step(status)),
        ("Number format", status.compute_dtype or ""),
        *promised(status),
    ]
    found = pieces.checks(findings(status, saved, metrics))
    rule = Markup("<hr>") if found else ""
    return Markup("<h2>{}</h2><hr>{}{}{}{}").format(words.THIS_RUN, pieces.facts(pairs), use(status), rule, found)


def promised(status: RunStatus) -> list[tuple[str, str]]:
    """What was promised of memory and time, beside what it took once the run has ended."""
    found = []
    if status.promised_bytes:
        found.append(("Memory promised", gib(status.promised_bytes)))
        found.append(("Memory taken", gib(status.peak_memory_bytes) if status.peak_memory_bytes and not status.live else ""))
    if status.promised_seconds:
        found.append(("Time promised", pieces.duration(status.promised_seconds)))
        whole = status.finished_at and status.promised_at and status.state == "finished"
        seconds = status.finished_at - status.promised_at if whole else None
        found.append(("Time taken", pieces.duration(seconds, about=False) if seconds else ""))
    return found


def use(status: RunStatus) -> Markup:
    """What the run makes of this computer and what it costs, with how that is known."""
    pairs = [("Tokens learned", f"{status.learned_tokens_per_second:.0f} a second" if status.learned_tokens_per_second else "")]
    how = []
    if status.utilisation:
        pairs.append(("Computer used", f"{100 * status.utilisation:.0f} %"))
        how.append(words.USE_HOW)
    if status.energy_joules and status.energy_method:
        pairs.append(("Energy", energy(status.energy_joules)))
        how.append(words.ENERGY_HOW.format(method=status.energy_method))
    if not how:
        return Markup("")
    return Markup("<hr>{}{}").format(pieces.facts(pairs), pieces.small(" ".join(how)))


def energy(joules: float) -> str:
    """Energy in watt-hours, two digits."""
    hours = joules / 3600
    return "under 0.1 Wh" if hours < 0.1 else f"about {hours:.1f} Wh" if hours < 10 else f"about {hours:.0f} Wh"


def findings(status: RunStatus, saved: int | None, metrics: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """What was checked while it ran."""
    losses = [item["loss"] for item in metrics if "loss" in item]
    checked = [item["step"] for item in metrics if "validation_loss" in item]
    found = []
    if losses:
        missing = sum(loss is None for loss in losses)
        text = f"{pieces.count(missing, 'step')} gave no usable number"
        found.append(("bad", text) if missing else ("ok", "Numbers are healthy"))
    if saved:
        found.append(("ok", f"Saved at step {saved}"))
    if len(checked) > 1:
        found.append(("info", f"Checked every {checked[-1] // max(1, len(checked) - 1)} steps"))
    if status.left_out:
        found.append(
            (
                "warn",
                f"{pieces.count(status.left_out, 'row')} did not fit and {'was' if status.left_out == 1 else 'were'} left out",
            )
        )
    if status.total_steps and not status.validation_rows:
        found.append(("warn", "No rows were kept aside"))
    return found


def earlier_name(studio: Studio, run_id: str) -> str:
    """The name of the run this one goes on from; a word when it was deleted since."""
    if not run_id:
        return ""
    try:
        return studio.runs.config(run_id).name
    except StudioError:
        return words.DELETED_SINCE


def model_title(studio: Studio, model_id: str) -> str:
    """The base model's name; its id when it is no longer in the catalogue."""
    try:
        return studio.catalog.get(model_id).title
    except StudioError:
        return model_id
