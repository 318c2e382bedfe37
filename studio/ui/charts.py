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
from studio.training.reading import finite, smooth, weight

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


def payload(metrics: Sequence[dict[str, Any]], status: RunStatus) -> dict[str, Any]:
    """What the canvas needs, at most MOST_POINTS points, from the metrics that count.

    Returns:
        points [[step, loss, smoothed]], validation [[step, loss]], best [step, loss, name] or None, step, total, weight,
        live, missing (steps without a finite loss), label (the picture in words).
    """
    training = [(item["step"], finite(item["loss"])) for item in metrics if "loss" in item]
    validation = [(item["step"], finite(item["validation_loss"])) for item in metrics if "validation_loss" in item]
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
