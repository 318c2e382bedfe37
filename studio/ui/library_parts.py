"""The parts of the Library as HTML: tables of runs and data sets, the disk, and what a deletion would take away."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from studio.config import ModelConfig
from studio.data.detect import FORMATS
from studio.errors import StudioError
from studio.fields import settings_of
from studio.ui import charts, pieces, telling
from studio.ui import words_runs as words
from studio.workspace import disk_used, gib

if TYPE_CHECKING:
    from studio.ui.studio import Studio

CURVE_POINTS = 24
PICK_COLUMN = Markup('<span class="sr">Pick</span>')


def radio(group: str, item: str, name: str, picked: str | None) -> Markup:
    """The control that picks a row."""
    on = Markup(" checked") if item == picked else ""
    return Markup('<input type="radio" name="{}" id="{}-{}" value="{}" aria-label="Pick {}"{}>').format(
        group, group, item, item, name, on
    )


def titled(group: str, item: str, name: str, more: str) -> Markup:
    """The name, which picks the row too, with a grey line below."""
    return Markup('<label for="{}-{}"><b>{}</b></label><div class="small muted">{}</div>').format(group, item, name, more)


def runs_table(studio: Studio, picked: str | None) -> Markup:
    """Every run, newest first; one whose files cannot be read is listed too, so that it can be deleted."""
    rows = [run_row(studio, run_id, picked) for run_id in studio.runs.ids()]
    if not rows:
        return pieces.small(words.NO_RUNS)
    columns = [PICK_COLUMN, "Name", "When", "Curve", "Loss", "Disk", "State"]
    return fieldset(words.RUNS, pieces.table(columns, rows, cls="runs", classes=["", "", "", "", "num", "num", ""]))


def run_row(studio: Studio, run_id: str, picked: str | None) -> list[Any]:
    """One run: its name and settings, its curve, the loss before and at its best, its disk, its state."""
    status, disk = studio.runs.status(run_id), gib(studio.runs.disk(run_id))
    when = pieces.moment(status.started_at or status.created_at)
    state = pieces.tag(*telling.state_tag(status))
    try:
        config = studio.runs.config(run_id)
    except StudioError:
        name = titled("pick-run", run_id, run_id, "Its settings cannot be read")
        return [radio("pick-run", run_id, run_id, picked), name, when, "", "none", disk, state]
    digits = dict(settings_of(ModelConfig)["quantization"].choices)[config.model.quantization]
    name = titled("pick-run", run_id, config.name, f"Rank {config.adapter.r}, {digits.rsplit(', ', 1)[-1]}")
    return [radio("pick-run", run_id, config.name, picked), name, when, sparkline(studio, run_id), losses(status), disk, state]


def sparkline(studio: Studio, run_id: str) -> Markup:
    """The curve in small: of the rows kept aside where there are enough checks, else of the steps."""
    curve = studio.runs.curve(run_id, CURVE_POINTS)
    line = curve.validation if len(curve.validation) > 2 else curve.training
    return charts.spark([loss for _, loss in line], failed=studio.runs.status(run_id).state == "failed")


def losses(status: Any) -> Markup | str:
    """The loss before training and the best one."""
    if status.best_validation_loss is None:
        return "none"
    if status.base_validation_loss is None:
        return charts.loss(status.best_validation_loss)
    return Markup('<span class="muted">{}<span class="sr"> before</span> →</span> {}').format(
        charts.loss(status.base_validation_loss), charts.loss(status.best_validation_loss)
    )


def datasets_table(studio: Studio, picked: str | None) -> Markup:
    """Every data set, newest first."""
    used = users(studio)
    rows = []
    for item in studio.datasets.ids():
        record = studio.datasets.get(item)
        kind = FORMATS[record.format].label if record.format in FORMATS else record.format
        more = f"Used by {pieces.count(used[item], 'run')}" if used[item] else "Not used yet"
        rows.append(
            [
                radio("pick-data", item, record.name, picked),
                titled("pick-data", item, record.name, more),
                pieces.moment(record.created_at),
                kind,
                f"{record.rows:,}",
                gib(studio.datasets.disk(item)),
            ]
        )
    if not rows:
        return pieces.small(words.NO_DATA_SETS)
    columns = [PICK_COLUMN, "Name", "When", "Kind", "Rows", "Disk"]
    made = pieces.table(columns, rows, cls="runs sets", classes=["", "", "", "", "num", "num"])
    return fieldset(words.DATA_SETS, made)


def fieldset(name: str, made: Markup) -> Markup:
    """A group of radio controls in a table, with a name."""
    return Markup('<fieldset><legend class="sr">{}</legend>{}</fieldset>').format(name, made)


def users(studio: Studio) -> Counter[str]:
    """How many runs learned from each data set."""
    return Counter(studio.dataset_of(run_id) for run_id in studio.runs.ids())


def lost_with_run(studio: Studio, run_id: str) -> str:
    """What deleting the run takes away, and what it does not."""
    size = gib(studio.runs.disk(run_id))
    kept = "its adapter, its curve and its sample answers" if studio.runs.adapter(run_id) else "its curve and its log"
    return f"“{run_name(studio, run_id)}” is deleted for good: {kept}, {size}. The data set and the base model stay."


def lost_with_dataset(studio: Studio, dataset_id: str) -> str:
    """What deleting the data set takes away, and what it does not."""
    record, used = studio.datasets.get(dataset_id), users(studio)[dataset_id]
    stay = ""
    if used:
        stay = f" {pieces.count(used, 'run')} made with it {'stays' if used == 1 else 'stay'}, but cannot go on from a save."
    return f"“{record.name}” is deleted for good: {pieces.count(record.rows, 'row')}, and the file they came from.{stay}"


def run_name(studio: Studio, run_id: str) -> str:
    """The run's name; its id when the settings cannot be read."""
    try:
        return studio.runs.config(run_id).name
    except StudioError:
        return run_id


def disk(studio: Studio) -> Markup:
    """What the workspace takes, by room, and what is free."""
    root = studio.workspace.root
    models, runs = disk_used(root / "models"), disk_used(root / "runs")
    other = sum(disk_used(root / room) for room in ("datasets", "uploads", "cache", "logs"))
    free = shutil.disk_usage(root).free
    whole = max(1, models + runs + other + free)
    parts = [(100 * size / whole, colour) for size, colour in ((models, "c-accent"), (runs, "c-mid"), (other, "c-pale"))]
    told = f"{gib(models + runs + other)} used by the studio, {gib(free)} free"
    bar = pieces.bar(told, [*parts, (100 * free / whole, "c-none")])
    legend = [("c-accent", "", "Models"), ("c-mid", "", "Runs"), ("c-pale", "", "Data, uploads")]
    sizes = [gib(models), gib(runs), gib(other)]
    lines = [
        Markup('<span><i class="{}"></i>{} <b>{}</b></span>').format(c, n, s) for (c, _, n), s in zip(legend, sizes, strict=True)
    ]
    lines.append(Markup("<span>Free <b>{}</b></span>").format(gib(free)))
    return Markup('<h2>{}</h2><hr>{}<p class="legend">{}</p><hr>{}').format(words.DISK, bar, pieces.join(lines), where(root))


def where(root: Path) -> Markup:
    """The workspace's folder by name; its full path is in the tooltip."""
    home = " in your home folder" if root.parent == Path.home() else ""
    return Markup('<p class="small muted" title="{}">{} <b>{}</b>{}.</p>').format(root, words.KEPT_IN, root.name, home)
