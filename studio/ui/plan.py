"""What the Model tab shows of models and of a run to come: the list, the memory bar, the preview and its verdicts."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from studio.models.catalog import ModelEntry
from studio.models.hardware import Hardware
from studio.models.memory import Estimate
from studio.ui import pieces, words
from studio.workspace import FREE_SPACE_FLOOR, gib

FEW_ROWS = 30
FITS = {"well": ("fits well", "good", "c-accent"), "tight": ("tight", "warn", "c-warn"), "no": ("too big", "bad", "c-red")}

# The list is drawn anew when the estimate changes; whoever was in it with the keyboard stays where they were.
MODELS_JS = """
element.addEventListener('change', (event) => {
  if (event.target.matches('input[type=radio]')) trigger('select', {id: event.target.value});
});
let inside = '';
element.addEventListener('focusin', (event) => { inside = event.target.value || ''; });
element.addEventListener('focusout', () => {
  setTimeout(() => { if (document.activeElement !== document.body) inside = ''; }, 0);
});
watch('value', () => {
  if (!inside) return;
  const radio = [...element.querySelectorAll('input[type=radio]')].find((item) => item.value === inside);
  if (radio) radio.focus();
});
"""


def model_list(entries: Sequence[ModelEntry], chosen: str, estimates: Mapping[str, Estimate], free: int) -> Markup:
    """Radio rows: name, summary, licence, and whether it fits into the memory that is free."""
    rows = []
    for entry in entries:
        fit = Markup("")
        if entry.trouble:
            fit = Markup('<span class="fit"><span>{}</span></span>').format(pieces.tag("not usable", "bad"))
        elif estimate := estimates.get(entry.id):
            word, kind, colour = FITS[estimate.fits]
            share = min(100.0, 100 * estimate.total_bytes / max(1, free))
            fit = Markup('<span class="fit"><span>{}</span>{}</span>').format(
                pieces.tag(word, kind), pieces.bar(f"needs {share:.0f} percent of the free memory", [(share, colour)], thin=True)
            )
        where = f"{gib(entry.download_bytes)} to fetch, once" if entry.download_bytes else ""
        if entry.origin == "starter" and entry.ready:
            where = "already on this computer"
        rows.append(
            Markup(
                '<label class="model"><input type="radio" name="base-model" value="{}"{}{}><span><b>{}</b><br>'
                '<span class="small muted">{} {}</span></span><span class="lic small muted">{}</span>{}</label>'
            ).format(
                entry.id,
                Markup(" checked") if entry.id == chosen else "",
                Markup(" disabled") if entry.trouble else "",
                entry.title,
                sentence(entry.summary),
                sentence(where),
                entry.licence or "licence unknown",
                fit,
            )
        )
    return Markup('<fieldset class="models"><legend class="sr">{}</legend>{}</fieldset>').format(
        words.START_FROM, pieces.join(rows)
    )


def sentence(text: str) -> str:
    """Text that begins with a capital and ends with a full stop."""
    text = text.strip()
    return text if not text else text[0].upper() + text[1:] + ("" if text[-1] in ".!?…" else ".")


def fetch_state(done: int, total: int, text: str) -> Markup:
    """A fetch on its way."""
    share = 100 * done / total if total else 0
    return Markup('<div class="fetch" role="status">{}{}</div>').format(
        pieces.small(text), pieces.bar(text, [(share, "c-accent")], thin=True)
    )


def depth_choices(seconds: Mapping[str, float | None]) -> list[tuple[str, str]]:
    """The three depths with their minutes: a title line and a sentence each."""
    choices = []
    for key, (title, what) in words.DEPTH_WORDS.items():
        time = pieces.duration(seconds.get(key))
        choices.append((f"{title}\n{sentence(time)} {what}" if time else f"{title}\n{what}", key))
    return choices


def goal_choices() -> list[tuple[str, str]]:
    """The goals, a title line and a sentence each."""
    return [(f"{title}\n{what}", key) for key, (title, what) in words.GOAL_WORDS.items()]


def memory_picture(estimate: Estimate, computer: Hardware) -> Markup:
    """What is in use, what the run needs, what is left over."""
    total = computer.accelerator_memory or computer.memory_total
    free = computer.working_memory
    used = max(0, total - free)
    parts = [
        ("c-slate", used, "other programs"),
        ("c-accent", estimate.model_bytes, "model"),
        ("c-mid", estimate.adapter_bytes, "adapter"),
        ("c-pale", estimate.work_bytes, "work space"),
    ]
    needed, left = estimate.total_bytes, free - estimate.total_bytes
    scale = max(total, used + needed)
    rest = f"{gib(left)} left" if left >= 0 else f"{gib(-left)} too much"
    said = f"{gib(used)} used by other programs, {gib(needed)} needed, {rest}"
    named = [(colour, gib(size), name) for colour, size, name in parts]
    named.append(("", gib(abs(left)), "left over" if left >= 0 else "too much"))
    return (
        pieces.head(words.MEMORY_TITLE, f"{gib(needed)} needed, {gib(free)} free")
        + pieces.bar(said, [(100 * size / scale, colour) for colour, size, _ in parts])
        + pieces.legend(named)
    )


def preview(estimate: Estimate, entry: ModelEntry, rows: int, validation_rows: int, root: Path) -> Markup:
    """Steps, time, memory, disk and what is to be fetched, with verdicts."""
    low, high = pieces.duration(estimate.seconds_low, about=False), pieces.duration(estimate.seconds_high, about=False)
    facts = {
        "Rows": f"{rows:,}",
        "Steps": f"{estimate.steps:,}",
        "Time": pieces.duration(estimate.seconds),
        "Likely range" if not estimate.rough else "Possible range": between(low, high),
        "Memory": gib(estimate.total_bytes),
        "Disk": gib(estimate.disk_bytes),
        "To fetch": gib(estimate.download_bytes) if estimate.download_bytes else "nothing",
    }
    return Markup("<h2>{}</h2><hr>{}<hr>{}").format(
        words.PREVIEW_TITLE, pieces.facts(facts), pieces.checks(verdicts(estimate, entry, rows, validation_rows, root))
    )


def between(low: str, high: str) -> str:
    """ "3 to 6 min" of "3 min" and "6 min"; one of them where they are the same."""
    if not low or not high or low == high:
        return ""
    for unit in (" min", " h"):
        if low.endswith(unit) and high.endswith(unit):
            low = low.removesuffix(unit)
    return f"{low} to {high}"


def verdicts(estimate: Estimate, entry: ModelEntry, rows: int, validation_rows: int, root: Path) -> list[tuple[str, str]]:
    """Marks for the preview."""
    memory = {
        "well": ("ok", "Fits in memory"),
        "tight": ("warn", "Tight in memory: close other programs"),
        "no": ("bad", "Needs more memory than is free"),
    }
    room = shutil.disk_usage(root).free - FREE_SPACE_FLOOR >= estimate.disk_bytes + estimate.download_bytes
    found = [memory[estimate.fits], ("ok", "Room on the disk") if room else ("bad", "Too little room on the disk")]
    if not entry.has_chat_template:
        found.append(("warn", "This model brings no chat template; one is chosen under Advanced"))
    if rows < FEW_ROWS:
        found.append(("warn", "Few rows: expect the tone to change more than the facts"))
    if not validation_rows:
        found.append(("warn", "No row is kept aside, so the last step is kept, not the best"))
    return found


def nothing_yet() -> Markup:
    """The summary while there is no data."""
    return Markup("<h2>{}</h2><hr>{}").format(
        words.PREVIEW_TITLE, pieces.small("Time, memory and disk appear here once there are examples.")
    )
