"""The words of the Model tab about choosing, finding and fetching a model, and about making a run fit."""

from __future__ import annotations

from studio.workspace import gib

ABOUT_MODEL = "About this model"
MORE_MODELS = "More models"
MORE_HINT = "None of these is here yet. Picking one fetches nothing; that happens when you say so, or when training starts."
SEARCH = "Search by name, maker or language"
SEARCH_HINT = "Filters this list. The button looks on the Hugging Face Hub, which hears what you typed."
SEARCH_HUB = "Search the Hub"
SHOW_FITS, SHOW_ALL = "What fits", "All"
SHOW_WHICH = "Which to show"
LICENCES = "Licence"
ANY_LICENCE = "Any licence"
NOTHING_FITS = "No model of this list matches. Show all of them, or search the Hub."
HUB_RESULTS = "On the Hub"
HUB_NOTHING = "The Hub has no text model of that name that can be used here."
HUB_FOUND = "{count} on the Hub, most downloaded first."
NOT_YET = "{size} to fetch, once"
HERE_ALREADY = "already on this computer"
GATED = "asks for consent"
ASKS_CONSENT = "Its maker asks you to agree on its page on the Hub first. Then a token of yours lets this app fetch it."
TOKEN = "Your token for the Hub"
TOKEN_HINT = "From huggingface.co/settings/tokens, with the right to read. It stays in memory and is gone when the app ends."
TOKEN_KEEP = "Use this token"
TOKEN_KEPT = "A token is in use until the app ends. It was not written anywhere."
TOKEN_TITLE = "Models that ask for consent"
FETCH_NOW = "Fetch it now, {size}"
FETCH_STOP = "Stop fetching"
FETCH_AGAIN = "Fetch it again"
FETCH_PARTLY = "{size} of it are here already. Fetching goes on from there."
REMOVE = "Remove it from this computer"
REMOVE_SURE = "Remove {size} now"
FORGET = "Take it off the list"
FORGET_SURE = "Take it off; its folder stays"
FIELDS = {
    "allows": "What its licence allows",
    "languages": "Languages",
    "strengths": "Good at",
    "context": "Reads at once",
    "parameters": "Size",
    "revision": "Version",
    "repo": "On the Hub",
}
CONTEXT = "{count:,} pieces"
RECOMMENDED = "In a published recipe"
FIT = "Make it fit"
FIT_DONE = "Changed so that it fits:"
FIT_NEEDED = "Then it needs {size}."
FIT_UNDO = "Put it back as it was"
FIT_HINT = "What would help, the mildest change first"
PARTS = "What the memory is for"
BAND = "At its fullest it holds between {low} and {high}. The system can take some of that back."
ROUGH = "A first guess; after a short look at this computer it gets better."


def fetch_now(size: int) -> str:
    """The button that starts a fetch."""
    return FETCH_NOW.format(size=gib(size))
