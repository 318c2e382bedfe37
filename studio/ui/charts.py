"""Pictures of a run: the loss curve as a canvas, its words, and the small line of the Library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from studio.records import RunStatus
from studio.runs import thin

MOST_POINTS = 600
NONE_YET: dict[str, Any] = {
    "points": [],
    "validation": [],
    "step": 0,
    "total": 1,
    "best": None,
    "live": False,
    "label": "No steps yet",
}
SCRIPT = Path(__file__).parents[2] / "assets" / "js" / "curve.js"

# Static on purpose: no value is put into it, so nothing a person wrote can become markup, and what is open stays open.
TEMPLATE = """
<figure class="curve">
  <div class="plot"><canvas role="img" tabindex="0" aria-label="No steps yet"></canvas><div class="readout" hidden></div></div>
  <p class="sr" aria-live="polite"></p>
  <div class="legend">
    <span><i class="key train"></i>on rows it learns from, smoothed</span>
    <span><i class="key kept"></i>on rows kept aside (validation)</span>
    <span><i class="key single"></i>single steps</span>
    <label class="log"><input type="checkbox">Log scale</label>
  </div>
  <details class="quiet"><summary>Show the numbers</summary>
    <p class="small muted weight"></p>
    <div class="numbers" tabindex="0" role="region" aria-label="The numbers of the curve"><table>
      <thead><tr><th scope="col" class="num">Step</th><th scope="col" class="num">This step</th>
      <th scope="col" class="num">Smoothed</th><th scope="col" class="num">Kept aside</th></tr></thead><tbody></tbody>
    </table></div>
  </details>
</figure>
"""


def curve() -> gr.HTML:
    """The curve component. Its value is what `payload()` returns."""
    return gr.HTML(
        NONE_YET,
        html_template=TEMPLATE,
        js_on_load=SCRIPT.read_text(encoding="utf-8"),
        apply_default_css=False,
        padding=False,
        container=False,
    )


def weight(total_steps: int) -> float:
    """The smoothing weight of a run: the line looks back over about a twelfth of all steps, at least three.

    An exponential moving average with weight w has the span 2 / (1 - w) - 1. It depends on the planned length only,
    so that the part already drawn never changes.
    """
    span = max(3.0, total_steps / 12)
    return round(1 - 2 / (span + 1), 4)


def smooth(values: Sequence[float | None], weight: float) -> list[float | None]:
    """Exponential moving average, corrected for its start at zero (Adam paper, arXiv:1412.6980, section 3).

    A missing value leaves the average as it was; before the first value there is none.
    """
    found: list[float | None] = []
    mean, count = 0.0, 0
    for value in values:
        if value is not None and math.isfinite(value):
            mean, count = weight * mean + (1 - weight) * value, count + 1
        found.append(mean / (1 - weight**count) if count else None)
    return found


def payload(metrics: Sequence[dict[str, Any]], status: RunStatus) -> dict[str, Any]:
    """What the canvas needs, at most MOST_POINTS points, from the metrics that count.

    Returns:
        points [[step, loss, smoothed]], validation [[step, loss]], best [step, loss, name] or None, step, total, weight,
        live, missing (steps without a finite loss), label (the picture in words).
    """
    training = [(item["step"], _finite(item["loss"])) for item in metrics if "loss" in item]
    validation = [(item["step"], _finite(item["validation_loss"])) for item in metrics if "validation_loss" in item]
    step = max([status.step, *(at for at, _ in training)], default=0)
    total = max(status.total_steps, step, 1)
    amount = weight(total)
    line = smooth([loss for _, loss in training], amount)
    raw = thin(training, MOST_POINTS)
    soft = thin([(at, value) for (at, _), value in zip(training, line, strict=True)], MOST_POINTS)
    found = {
        "points": [[at, _short(loss), _short(mean)] for (at, loss), (_, mean) in zip(raw, soft, strict=True)],
        "validation": [[at, _short(loss)] for at, loss in thin(validation, MOST_POINTS)],
        "step": step,
        "total": total,
        "weight": amount,
        "live": status.live,
        "missing": sum(loss is None for _, loss in training),
    }
    found["best"] = _best(dict(validation), status)
    return {**found, "label": label(found)}


def _best(validation: dict[int, float | None], status: RunStatus) -> list[Any] | None:
    value = validation.get(status.best_step) if status.best_step is not None else None
    if value is None:
        return None
    return [status.best_step, _short(value), f"best{' so far' if status.live else ''}, step {status.best_step}"]


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def loss(value: float | None) -> str:
    """A loss as a person reads it."""
    return "none yet" if value is None else f"{value:.3f}" if abs(value) < 0.1 else f"{value:.2f}"


def label(found: dict[str, Any]) -> str:
    """The picture in words, for who does not see it."""
    if not found["points"] and not found["validation"]:
        return "No steps yet"
    parts = [f"Loss over {found['step']} of {found['total']} steps."]
    if found["points"]:
        parts.append(f"On rows it learns from: {loss(found['points'][-1][2])}.")
    kept = [value for _, value in found["validation"] if value is not None]
    if found["validation"] and found["validation"][0][0] == 0 and kept:
        parts.append(f"On rows kept aside before training: {loss(found['validation'][0][1])}.")
    if found["best"]:
        parts.append(f"Best on rows kept aside: {loss(found['best'][1])} at step {found['best'][0]}.")
    if len(kept) > 1:
        parts.append(f"At the last check: {loss(kept[-1])}.")
    return " ".join(parts)


def says(found: dict[str, Any]) -> str:
    """What the curve says, in plain words; careful while there is little to see.

    "Worse" and "flat" mean a change of more or less than 2 % of the value, about the noise between neighbouring checks.
    """
    learned = [mean for _, _, mean in found["points"] if mean is not None]
    checks = [(at, value) for at, value in found["validation"] if value is not None]
    if found.get("missing"):
        return "Some steps gave no usable number. The steps were too large, or a row is unusual. A lower learning rate helps."
    if len(learned) < 3:
        return "Too early to say. Each step adds a dot; the lines show where they go."
    if not checks:
        return "No rows were kept aside, so nothing here shows whether it learned or only memorised."
    if len(checks) < 3:
        way = "falls: it is learning" if learned[-1] < 0.98 * learned[0] else "does not fall yet"
        return f"The line of the rows it learns from {way}. The next check on rows kept aside will say more."
    return _trend(learned, checks, found["live"])


def _trend(learned: list[float], checks: list[tuple[int, float]], live: bool) -> str:
    start, end = checks[0][1], checks[-1][1]
    best_step, best = min(checks, key=lambda check: check[1])
    if best > 0.98 * start:
        return "The rows kept aside did not get easier for it. It may need more rows, other rows, or smaller steps."
    if end > 1.02 * best:
        keeps = "will be kept" if live else "is the one that is kept"
        return (
            f"Rows kept aside were easiest for it at step {best_step} and got harder since. "
            f"From there on it memorises more than it learns. Step {best_step} {keeps}."
        )
    gap = end > 1.5 * learned[-1] + 0.1
    if end < 0.98 * checks[-2][1]:
        now, then = "Both lines still fall, so it is still learning.", "Both lines still fell at the end. A longer run may help."
        first = now if live else then
    else:
        flat = "The line of the rows kept aside has become flat: "
        first = flat + ("little more will come." if live else "more steps would add little.")
    second = (
        "It knows the rows it learns from much better than the others: part of it is memorising."
        if gap
        else "The gap between the lines is small: it is not only memorising."
    )
    return f"{first} {second}"


def spark(values: Sequence[float | None], *, failed: bool = False) -> Markup:
    """A small line of the losses given, as SVG; slate instead of accent when the run failed."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if len(known) < 2:
        return Markup('<span class="muted">–</span>')
    known = [value for _, value in thin(list(enumerate(known)), 24)]
    low, high = min(known), max(known)
    reach = (high - low) or 1.0
    points = " ".join(f"{4 + i * 72 / (len(known) - 1):.1f},{28 - (v - low) / reach * 24:.1f}" for i, v in enumerate(known))
    told = f"Loss from {loss(known[0])} to {loss(known[-1])}"
    return Markup(
        f'<svg class="spark" width="80" height="32" viewBox="0 0 80 32" role="img" aria-label="{told}">'
        f'<polyline points="{points}" fill="none" stroke="var(--{"slate" if failed else "accent"})" '
        'stroke-width="2" stroke-linejoin="round"/></svg>'
    )
