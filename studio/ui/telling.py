"""What the state of a run is called, in every tab that shows one. Plain text and numbers only; no components."""

from __future__ import annotations

import time

from studio.records import RunStatus
from studio.ui.pieces import duration, moment

SILENT_AFTER = 60.0  # seconds without a sign of life before the page says so
PHASES = ("Preparing", "First check", "Learning", "Saving")
PLACES = {"checking": 1, "learning": 2, "saving": 3}  # every other phase is preparing
TITLES = {
    **{"queued": "waiting", "starting": "preparing", "running": "training"},
    **{"pausing": "pausing", "stopping": "stopping"},
}


def percent(status: RunStatus) -> int:
    """How much of the planned steps is done; 100 only at the last one."""
    return int(100 * min(status.step, status.total_steps) / status.total_steps) if status.total_steps else 0


def state_tag(status: RunStatus) -> tuple[str, str]:
    """The state as one or two words, and the kind of tag: good, warn, bad or none."""
    kept = ", kept" if status.adapter_step is not None else ""
    if status.waiting:
        return f"in the queue{kept}", ""
    return {
        "paused": (f"paused{kept}", "warn"),
        "finished": ("finished", "good"),
        "stopped": (f"stopped{kept}", "warn"),
        "interrupted": (f"interrupted{kept}", "warn"),
        "failed": (f"failed{kept}", "bad"),
    }.get(status.state, (TITLES.get(status.state, status.state), ""))


def safe_part(status: RunStatus, saved: int | None) -> str:
    """What is not lost."""
    step = max(saved or 0, status.adapter_step or 0)
    return f"What it had learned up to step {step} is safe." if step else "Your examples and settings are safe."


def purpose(status: RunStatus | None, saved: int | None = None, *, free: bool = True) -> str:
    """The line at the top of the Train tab. `saved`: the step of the newest checkpoint. `free`: no other run trains."""
    if status is None:
        return "Here you watch the model learn. No run has been started yet."
    if status.state == "stopping":
        return "The run is stopping. What it learned is kept."
    if status.state == "pausing":
        return "The run is pausing. It can go on from here later."
    if status.state == "paused":
        return f"Paused {where(status)}. {'The computer is free for chatting.' if free else 'Another run uses the computer now.'}"
    if status.waiting:
        return "This run waits for its turn. You may close this page; it keeps its place."
    if status.live and status.phase == "waiting":
        return "The run waits for the computer. It starts by itself."
    if status.live and PLACES.get(status.phase, 0) < 2:
        return "The model is getting ready to practise. You may close this page; it goes on."
    if status.live:
        return "The model is practising on your examples. You may close this page; it goes on."
    if status.state == "finished":
        return "The model has practised on your examples. Ask it something."
    if status.state == "stopped":
        return f"You stopped the run. {safe_part(status, saved)}"
    if status.state == "interrupted":
        return f"The run was interrupted. {safe_part(status, saved)}"
    return f"The run stopped early. {safe_part(status, saved)}"


def where(status: RunStatus) -> str:
    """How far a run came: "at step 42 of 80"."""
    return f"at step {status.step} of {status.total_steps}" if status.step else "before its first step"


def silence(status: RunStatus, now: float | None = None) -> float | None:
    """Seconds since the last sign of life of a live run, when that is longer than it should be; else None."""
    quiet = (time.time() if now is None else now) - status.updated_at
    return quiet if status.live and quiet > SILENT_AFTER else None


def doing(status: RunStatus, now: float | None = None) -> tuple[str, bool]:
    """One sentence on what happens now, and whether it needs a look. Never leaves open if the run still runs."""
    quiet = silence(status, now)
    if quiet is not None:
        since = f"Nothing was heard from the run since {moment(status.updated_at)} ({duration(quiet)})."
        return f"{since} Its program is still there. If this goes on, press “Stop and keep”, then go on from the last save.", True
    if status.live:
        words = {
            "queued": "Waiting to start.",
            "starting": "Starting.",
            "stopping": "Stopping after this step and keeping the best.",
            "pausing": "Pausing after this step.",
        }
        running = "Checking the rows kept aside." if status.phase == "checking" else "It is running."
        return status.detail or words.get(status.state, running), False
    if status.waiting:
        return "Nothing of it runs now.", False
    ended = f" at {moment(status.finished_at)}" if status.finished_at else ""
    early = f", {where(status)}: no check after step {status.best_step} was better" if status.step < status.total_steps else ""
    return {
        "finished": f"Finished{' early' if early else ''}{ended}{early}.",
        "stopped": f"Stopped by you{ended}.",
        "paused": f"Paused{'' if status.error else ' by you'}{ended}. It goes on from here when you say so.",
        "failed": f"Ended{ended} because of a failure.",
        "interrupted": f"Cut short{ended}. It does not run now."
        if status.error
        else f"Its program ended without a word, last heard at {moment(status.updated_at)}. It does not run now.",
    }.get(status.state, ""), status.state == "interrupted"


def time_left(status: RunStatus, *, about: bool = True) -> str:
    """The time a live run still needs ("about 2 min", "2 to 4 min"), empty while nobody knows."""
    if not status.live or status.eta_seconds is None:
        return ""
    low, high = status.eta_low_seconds, status.eta_high_seconds
    ends = [duration(end, about=False) for end in (low, high) if end is not None]
    if len(set(ends)) < 2 or duration(status.eta_seconds).startswith("under"):
        return duration(status.eta_seconds, about=about)
    (first, unit), (second, other) = (end.rsplit(" ", 1) if end[0].isdigit() else ("1", "min") for end in ends)
    return f"{first} to {second} {unit}" if unit == other else f"{first} {unit} to {second} {other}"


def until(status: RunStatus, now: float | None = None) -> str:
    """The time of day at which a live run is about to end, empty while nobody knows."""
    if not status.live or status.eta_seconds is None:
        return ""
    return moment((time.time() if now is None else now) + status.eta_seconds)


def which_step(status: RunStatus) -> str:
    """Which step the adapter is from: "step 80, best"."""
    if status.adapter_step is None:
        return ""
    best = status.adapter_step == status.best_step
    return f"step {status.adapter_step}{' so far' if status.live else ', best' if best else ''}"
