"""The chat: one base model and one run's adapter in memory, streaming answers of the tuned model, the base, or both."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.data.encode import prompt_ids, stop_ids
from studio.errors import Busy, NotFound, StudioError
from studio.inference.conversation import check_messages, check_numbers
from studio.inference.decode import Text, decode, last_only, sampler
from studio.inference.generate import context_of
from studio.models import adapters, hardware, load, words
from studio.models.catalog import ModelCatalog
from studio.models.lease import DeviceLease, give_back_memory
from studio.models.targets import teaches_experts
from studio.runs import RunStore
from studio.workspace import Workspace

if TYPE_CHECKING:
    from studio.config import RunConfig

ADAPTERS = {"base": "__base__", "tuned": "tuned"}  # peft's name for "no adapter", and ours
WAIT_SECONDS = 120.0  # for another answer of this page to end
CLOSE_SECONDS = 15.0  # for the answer being written to notice that the model is taken away
HOLDER = "The chat"


@dataclass(frozen=True)
class Answer:
    """One side's answer so far.

    `seconds` and `first_token_seconds` count from the start of this side's work, `tokens_per_second` after the first token.
    `ended`: "" while it goes on, then "end" (the model ended it), "length", or "cancelled".
    """

    text: str = ""
    done: bool = False
    tokens: int = 0
    seconds: float = 0.0
    first_token_seconds: float | None = None
    tokens_per_second: float | None = None
    ended: str = ""


@dataclass
class _Loaded:
    """What is in memory. `base_key` says which base in which digits, `adapter_key` which version of the adapter.

    `tokenizers`: the base's own under "base", the run's under "tuned"; the same one unless the run brought new words.
    """

    run_id: str
    config: RunConfig
    base_key: tuple[str, ...]
    adapter_key: tuple[int, int]
    model: Any
    tokenizers: dict[str, Any]


class ChatEngine:
    """Holds the device while a run is open. Safe to call from several threads: one answers, the others wait their turn."""

    def __init__(self, workspace: Workspace, runs: RunStore, catalog: ModelCatalog, lease: DeviceLease) -> None:
        self.workspace, self.runs, self.catalog, self.lease = workspace, runs, catalog, lease
        self._turn = threading.Lock()  # held while loading or answering
        self._closing = threading.Event()
        self._held = contextlib.ExitStack()
        self._loaded: _Loaded | None = None

    @property
    def opened(self) -> str | None:
        """The run whose adapter is in memory."""
        loaded = self._loaded
        return loaded.run_id if loaded else None

    # ---- opening and closing

    def open(self, run_id: str) -> None:
        """Load a run's base and adapter and take the device; at once when they are in memory already.

        Raises:
            NotFound: The run or its adapter is gone.
            Busy: Something else holds the device, or another answer takes too long.
            StudioError: The model cannot be loaded.
        """
        with self._my_turn():
            self._open(run_id)

    def _open(self, run_id: str) -> None:
        adapter = self.runs.adapter(run_id)
        if adapter is None:
            raise NotFound(
                "This model cannot be opened.", "Its run was deleted, or kept nothing it learned.", "Pick another one."
            )
        config, status = self.runs.config(run_id), self.runs.status(run_id)
        folder = self.catalog.folder(config.model.base_model)
        new = config.adapter.new_tokens
        base_key = (str(folder), config.model.quantization, status.compute_dtype, new)
        adapter_key = _version(adapter)
        before = self._loaded
        if before and (before.run_id, before.base_key, before.adapter_key) == (run_id, base_key, adapter_key):
            return
        if before is None:
            self._held.enter_context(self.lease.take(HOLDER))
        try:
            self._loaded = None
            if before and before.base_key == base_key:
                base, tokenizers = before.model.unload(), before.tokenizers
                for tokenizer in tokenizers.values():
                    load.give_template(tokenizer, folder, config.model.chat_template, adapter=adapter)
            else:
                before = None
                give_back_memory()
                tokenizers = dict.fromkeys(ADAPTERS, load.load_tokenizer(folder, config.model.chat_template, adapter=adapter))
                if new:
                    tokenizers["tuned"] = load.load_tokenizer(folder, config.model.chat_template, adapter=adapter)
                    words.extend(tokenizers["tuned"], new)
                base = load.load_base(folder, config.model.quantization, compute_dtype=_usable_dtype(status.compute_dtype))
                if load.room_to_unpack(base):
                    load.unpack(base)
            model = adapters.attach_adapter(base, adapter, name=ADAPTERS["tuned"])
            self._loaded = _Loaded(run_id, config, base_key, adapter_key, model, tokenizers)
        except BaseException:
            before = None
            self._let_go()
            raise

    def close(self) -> None:
        """End the answer being written, drop the model and give the device back. Safe to call from any thread, and twice."""
        self._closing.set()
        try:
            turn = self._turn
            if not turn.acquire(timeout=CLOSE_SECONDS):
                # its reader has stopped reading: leave the turn to it and give the others a new one
                self._turn = turn = threading.Lock()
                turn.acquire()
            self._let_go()
            turn.release()
        finally:
            self._closing.clear()

    def _let_go(self) -> None:
        self._loaded = None
        self._held.close()  # the lease collects what was dropped

    @contextlib.contextmanager
    def _my_turn(self, cancel: threading.Event | None = None) -> Iterator[None]:
        """Wait until nobody else loads or answers. Raises Busy after a while, or when `cancel` is set."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not (turn := self._turn).acquire(timeout=0.05):
            if time.monotonic() > deadline or (cancel and cancel.is_set()):
                raise Busy("The model is still answering.", "Somebody asked it before.", "Ask again in a moment.", HOLDER)
        try:
            yield
        finally:
            turn.release()

    # ---- answering

    def stream(  # noqa: PLR0913 - what a chat can be asked for, all by keyword
        self,
        messages: Sequence[dict[str, str]],
        *,
        sides: tuple[str, ...] = ("tuned",),
        temperature: float = 0.0,
        max_new_tokens: int = 256,
        system_prompt: str | None = None,
        cancel: threading.Event | None = None,
        run_id: str = "",
        seed: int | None = None,
    ) -> Iterator[dict[str, Answer]]:
        """Answer a conversation, on one side or both, both from the very same prompt.

        Args:
            messages: {"role", "content"} each, the last one from the user.
            temperature: 0 takes the likeliest token each time; above, tokens are drawn from the top 0.9 of the probability.
            system_prompt: None takes the run's own; "" leaves it to the model's template.
            cancel: Set it to end the answer after the current token.
            run_id: Makes sure this run answers, whatever another page opened since.
        Yields:
            The whole answer so far of every side, after each new piece; at the end all are `done`.
        Raises:
            StudioError: Nothing to answer, too much of it, or the model is not open (any more).
        """
        check_messages(messages)
        check_numbers(sides, temperature, max_new_tokens)
        cancel = cancel or threading.Event()
        with self._my_turn(cancel):
            if run_id:
                self._open(run_id)
            if self._loaded is None:
                raise NotFound("No model is open.", "It was closed to make room.", "Open it again.")
            loaded = self._loaded
            told = loaded.config.data.system_prompt if system_prompt is None else system_prompt
            prompts = {side: prompt_ids(loaded.tokenizers[side], messages, system_prompt=told) for side in sides}
            longest = max(map(len, prompts.values()))
            room = context_of(loaded.model) - longest
            if room < 1:
                raise StudioError(
                    "The conversation is too long.",
                    f"It takes {longest} tokens and this model reads {context_of(loaded.model)}.",
                    "Start over, or ask in fewer words.",
                )
            answers = {side: Answer() for side in sides}
            # int8 picks its exact columns by looking at the whole batch, DoRA and adapters on experts cannot be mixed, and with
            # new words the sides read different tokens: there the base would not be answering alone
            adapter = loaded.config.adapter
            together = loaded.config.model.quantization != "int8" and not adapter.use_dora and not adapter.new_tokens
            together = together and not teaches_experts(loaded.model)

            def cut() -> bool:
                return cancel.is_set() or self._closing.is_set() or self._loaded is not loaded

            for group in [sides] if together else [(side,) for side in sides]:
                writing = _Writing(loaded, group, sampler(temperature, seed))
                for found in writing.run(prompts[group[0]], min(max_new_tokens, room), cut):
                    answers.update(found)
                    yield dict(answers)
            if self._closing.is_set() or self._loaded is not loaded:
                raise StudioError("The answer was cut short.", "The model was closed to make room.", "Open it again later.")

    def base_logits(self, ids: Sequence[int]) -> Any:
        """What the base side computes for a prompt, [vocabulary] in float32: to prove that it is the untouched base."""
        import torch  # noqa: PLC0415

        with self._my_turn():
            if self._loaded is None:
                raise NotFound("No model is open.", "", "Open one first.")
            forward = _forward(self._loaded, ("base",))
            with torch.no_grad():
                return forward([0], input_ids=torch.tensor([list(ids)], device=self._loaded.model.device)).logits[0, -1].float()


class _Writing:
    """One batch of sides writing their answers."""

    def __init__(self, loaded: _Loaded, sides: tuple[str, ...], choose: Callable[[Any], Any]) -> None:
        self.loaded, self.sides, self.choose = loaded, sides, choose

    def run(self, prompt: list[int], most: int, cut: Callable[[], bool]) -> Iterator[dict[str, Answer]]:
        """Yields the sides that changed, and at the end every side, done."""
        tokenizer = self.loaded.tokenizers[self.sides[0]]
        texts = {side: Text(tokenizer) for side in self.sides}
        answers = {side: Answer() for side in self.sides}
        started = time.perf_counter()
        written = decode(
            _forward(self.loaded, self.sides),
            [prompt] * len(self.sides),
            stop_ids=stop_tokens(self.loaded.model, tokenizer),
            pad_id=tokenizer.pad_token_id or 0,
            max_new_tokens=most,
            choose=self.choose,
            device=self.loaded.model.device,
        )
        for found in () if cut() else written:
            seconds = time.perf_counter() - started
            for row, token in found.items():
                side = self.sides[row]
                if token is not None:
                    texts[side].add(token)
                answers[side] = _after(answers[side], texts[side], seconds, "" if token is not None else "end")
            if cut():
                break
            yield {self.sides[row]: answers[self.sides[row]] for row in found}
        why = "cancelled" if cut() else "length"
        seconds = time.perf_counter() - started
        left = {side: _after(answer, texts[side], seconds, why) for side, answer in answers.items() if not answer.done}
        yield answers | left


def _after(before: Answer, text: Text, seconds: float, ended: str) -> Answer:
    """The answer with what its text holds now. A pass that brought no token leaves its figures as they were."""
    count = len(text.ids)
    if count == before.tokens:
        return replace(before, text=text.text(), done=bool(ended), ended=ended)
    first = seconds if before.first_token_seconds is None else before.first_token_seconds
    rate = (count - 1) / (seconds - first) if count > 1 and seconds > first else None
    return Answer(text.text(), bool(ended), count, seconds, first, rate, ended)


def _forward(loaded: _Loaded, sides: tuple[str, ...]) -> Callable[..., Any]:
    """Runs the rows of a batch, each with its side's adapter or none."""
    model, extra = loaded.model, last_only(loaded.model)
    if sides == ("tuned",):
        return lambda rows, **inputs: model(**inputs, **extra)
    if sides == ("base",):

        def base(rows: list[int], **inputs: Any) -> Any:
            with words.as_base(model):  # only around the pass: a reader that leaves must not leave it off
                return model(**inputs, **extra)

        return base
    return lambda rows, **inputs: model(**inputs, **extra, adapter_names=[ADAPTERS[sides[row]] for row in rows])


def stop_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Everything that ends an answer: the tokenizer's end tokens and those of the model's generation settings."""
    named = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    named = named if isinstance(named, list) else [] if named is None else [named]
    return list(dict.fromkeys([*stop_ids(tokenizer), *named]))


def _usable_dtype(name: str) -> str | None:
    """The number format the run was trained in, unless this computer has lost what it takes."""
    if name == "float16" and hardware.device() == "cpu":
        return None
    return name or None


def _version(adapter: Path) -> tuple[int, int]:
    """Changes when a resumed run writes its adapter anew."""
    about = (adapter / "adapter_model.safetensors").stat()
    return about.st_mtime_ns, about.st_size
