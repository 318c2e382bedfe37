"""The sentences for whatever goes wrong with a model of the Hub."""

from __future__ import annotations

from studio.errors import NoSpace, StudioError
from studio.hub.client import Line, reason
from studio.workspace import slug

SEARCH, LOOK, FETCH = "The Hub was not searched.", "The model was not looked up.", "The model was not fetched."


def failure(what: str, line: Line, repo: str, token: bool) -> StudioError:
    """The error for what the worker met.

    Args:
        what: What was not done.
        line: The worker's line; "error" holds the kind.
        token: Whether a token was sent.
    """
    kind = str(line.get("error"))
    if kind == "space":
        return NoSpace(what, "The disk became full.", "Free some room and try again; what is here is kept.")
    if kind == "rate" and (wait := line.get("wait")):
        return StudioError(what, "The Hub was asked too often from here.", f"Try again in {duration(wait)}.")
    if kind == "missing":
        return StudioError(what, *_missing(repo, token))
    other = "Choose another model."
    reasons = {
        "gated": (
            f"“{repo}” is given only to people who agreed to its terms.",
            "Agree on its page on the Hub, then write your token here.",
        ),
        "consent": (
            f"“{repo}” is given only to people who agreed to its terms. The owner of this token was not let in.",
            "Agree on its page on the Hub, wait until you are let in, and try again.",
        ),
        "private": (f"This token may not read “{repo}”.", "Give it the right to read this model, or use another one."),
        "revision": (f"This version of “{repo}” is not on the Hub any more.", "Choose the model again to get the newest one."),
        "cut": ("The connection broke off again and again.", "Try again later; what is here is kept."),
        "damaged": (f"{name_of(line.get('file'))} arrived damaged twice.", "Try again later, or choose another model."),
        "unsafe": ("The Hub led to an address without encryption, and that is not followed.", other),
        "big": (f"What the Hub says of “{repo}” is too long to be read.", other),
    }
    return StudioError(what, *(reasons.get(kind) or reason(kind, repo, "model")))


def _missing(repo: str, token: bool) -> tuple[str, str]:
    """The Hub does not tell a missing model from a private one."""
    if token:
        return f"The Hub has no model “{repo}” that this token may see.", "Look whether the name is written as on its page."
    return (
        f"The Hub shows no model “{repo}”; it is missing or private.",
        "Look whether the name is written as on its page. A private one needs your token.",
    )


def name_of(file: object) -> str:
    """A file's name, fit to be shown."""
    return str(file)[:60] if file and slug(str(file)) != "untitled" else "A file"


def duration(seconds: float) -> str:
    """A time as a person says it: whole seconds below a minute and a half, else minutes or hours."""
    if seconds < 90:
        return f"{max(1, round(seconds))} seconds" if seconds >= 1.5 else "1 second"
    if seconds < 5400:
        return f"{round(seconds / 60)} minutes"
    return f"{round(seconds / 3600)} hours"
