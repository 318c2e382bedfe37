"""The base model as a source of proposals: loaded once, holding the device for as long as it is used."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from studio.inference.generate import answer_all
from studio.models import load
from studio.models.catalog import ModelCatalog
from studio.models.lease import DeviceLease

HOLDER = "Writing examples"
SMALL = 1_000_000_000  # weights; below, a model follows no request for several pairs (tried with the starter, 135 million)
# 4 of 17 on an English guide of 25 kB, judged by hand; 77 more were dropped before anybody saw them
NOTE = (
    "A model this small writes few good questions: in our trial a quarter could be used as they were. A larger one writes better."
)


class BaseModel:
    """A model of this workspace, without an adapter. A context manager: it takes the device and gives it back.

    Args:
        make_room: Called before; whoever holds the device lightly (the chat) lets go of it.

    `note` is what a person should know before: that a small model is weak at this; empty for others.
    Entering raises Busy when somebody else has the device, NotFound or StudioError when the model cannot be loaded.
    """

    def __init__(
        self, catalog: ModelCatalog, lease: DeviceLease, model_id: str, make_room: Callable[[], None] = lambda: None
    ) -> None:
        self.catalog, self.lease, self.model_id, self.make_room = catalog, lease, model_id, make_room
        entry = catalog.get(model_id)
        self.name, self.small = entry.title, entry.parameters < SMALL
        self.note = NOTE if self.small else ""
        self.chat_template = "own" if entry.has_chat_template else "plain"
        self._held = contextlib.ExitStack()
        self._model: Any = None
        self._tokenizer: Any = None

    def __enter__(self) -> Self:
        folder = self.catalog.folder(self.model_id)
        self.make_room()
        with contextlib.ExitStack() as held:
            held.enter_context(self.lease.take(HOLDER))
            self._tokenizer = load.load_tokenizer(folder, self.chat_template)
            self._model = load.load_base(folder, "none")
            self._held = held.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._model = self._tokenizer = None
        self._held.close()  # the lease collects what was dropped

    def ask(self, messages: list[dict[str, str]], max_new_tokens: int, stop: Callable[[], bool]) -> str:
        """The likeliest answer (greedy). Only while the device is held."""
        return answer_all(self._model, self._tokenizer, [messages], max_new_tokens=max_new_tokens, stop=stop)[0]
