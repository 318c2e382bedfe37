"""The page's one heartbeat: asks once a second whether anything on the disk changed, and wakes the tabs only then.

A Gradio timer would run every handler every second, and each answer walks the whole page in the browser: measured at more
than half of a core for an idle page. One server function that returns a short stamp costs next to nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import gradio as gr

if TYPE_CHECKING:
    from studio.ui.studio import Studio

SECONDS = 1.0
# Between two beats while a run is live: each one costs the browser a third of a second of a core (measured), which the
# training would have had. The curve asks for its points by itself.
BUSY_SECONDS = 3.0
LIVE_SECONDS = 10  # while something runs the tabs also look this often, so that silence is noticed

# One event for each handler: Gradio's page repeats a whole event for a handler that was busy when it came (trigger_mode
# "always_last"), so handlers that share one keep waking each other without end once they overlap.
BEATS = ("beat_tabs", "beat_model", "beat_train", "beat_chat")

JS = f"""
let seen = null, busy = false, last = 0;
const look = async () => {{
  if (document.hidden || busy || !element.isConnected) return;
  busy = true;
  try {{
    const now = await server.pulse();
    const training = (stamp) => stamp !== null && stamp.startsWith('live');
    const soon = training(seen) && training(now) && Date.now() - last < {BUSY_SECONDS * 1000:.0f};
    if (now !== seen && !soon) {{ seen = now; last = Date.now(); {list(BEATS)}.forEach((beat) => trigger(beat)); }}
  }} catch (gone) {{ seen = null; }} finally {{ busy = false; }}
}};
setInterval(look, {SECONDS * 1000:.0f});
document.addEventListener('visibilitychange', look);
look();
"""


def heartbeat(studio: Studio) -> gr.HTML:
    """The invisible component whose events, `BEATS`, fire when something changed, at most once a second."""

    def pulse(_: object = None) -> str:  # Gradio always hands one value over
        return stamp(studio)

    return gr.HTML("", js_on_load=JS, server_functions=[pulse], apply_default_css=False, padding=False, container=False)


def stamp(studio: Studio) -> str:
    """A short text that differs whenever a page may have something new to show."""
    turns = studio.runs.turns()
    live = turns.live
    parts: list[object] = [turns, studio.lease.holder(), studio.warmed(), studio.calibrated(), studio.engine.opened]
    for room in ("runs", "datasets", "models"):
        parts.append((studio.workspace.root / room).stat().st_mtime_ns)
    if live:
        parts.append(int(time.time() / LIVE_SECONDS))
        for name in ("status.json", "metrics.jsonl", "samples.jsonl", "events.jsonl", "stop.json"):
            path = studio.runs.folder(live) / name
            parts.append(path.stat().st_mtime_ns if path.exists() else 0)
    for model_id in studio.background.fetching:
        progress, trouble = studio.fetch_progress(model_id), studio.fetch_trouble(model_id)
        parts += [progress and progress.sentence, progress and progress.done, trouble and trouble.what]
    return ("live" if live else "calm") + repr(parts)
