"""What is learned and what is only read, token by token, for the usual kinds of chat templates and tokenizers."""

from __future__ import annotations

import sys

import pytest

from studio.data.encode import (
    READ_ONLY,
    Encoded,
    encode,
    encode_all,
    prompt_ids,
    stop_ids,
    token_view,
    with_system,
)
from studio.data.markers import KNOWN_MARKERS
from studio.data.render import Renderer
from studio.errors import StudioError
from studio.records import Example, LeftOut
from tests.data.tokenizers import make

CHOSEN = ("plain", "plain-space", "chosen-marks", "chosen-text", "chosen-space")
KINDS = ("chatml", "llama3", "inst", "inst-first", "thinking", "gemma", *CHOSEN)
ENDS = {
    "chatml": "<|im_end|>",
    "thinking": "<|im_end|>",
    "llama3": "<|eot_id|>",
    "gemma": "<end_of_turn>",
    "plain": "<|endoftext|>",
    "inst": "</s>",
    "inst-first": "</s>",
    "plain-space": "</s>",
    "chosen-marks": "<|im_end|>",
    "chosen-text": "<|endoftext|>",
    "chosen-space": "</s>",
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


TALK = (
    turn("system", "Be brief."),
    turn("user", "When do you open?"),
    turn("assistant", "At 6:40, Zürich 🙂"),
    turn("user", "And 日本?"),
    turn("assistant", "No."),
)


def row(kind: str, messages: tuple[dict[str, str], ...], **options: object) -> Encoded:
    found = encode(make(kind), Example(messages=messages, source_row=7), **{"max_length": 500, **options})
    assert isinstance(found, Encoded), found
    return found


def learned_stretches(kind: str, found: Encoded) -> list[str]:
    """Each unbroken stretch of learned tokens, decoded."""
    stretches: list[list[int]] = []
    previous = READ_ONLY
    for token, label in zip(found.input_ids, found.labels, strict=True):
        assert label in (READ_ONLY, token)
        if label != READ_ONLY:
            if previous == READ_ONLY:
                stretches.append([])
            stretches[-1].append(token)
        previous = label
    return [make(kind).decode(ids, skip_special_tokens=False) for ids in stretches]


def test_chatml_masks_token_by_token() -> None:
    tokenizer = make("chatml")
    found = row("chatml", (turn("user", "When?"), turn("assistant", "At 6:40.")))

    def ids(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    read = ids(
        "<|im_start|>system\nYou are a small helper.<|im_end|>\n<|im_start|>user\nWhen?<|im_end|>\n<|im_start|>assistant\n"
    )
    learned = [*ids("At 6:40."), tokenizer.convert_tokens_to_ids("<|im_end|>")]
    assert list(found.input_ids) == read + learned
    assert list(found.labels) == [READ_ONLY] * len(read) + learned
    assert found.source_row == 7 and found.cut_turns == 0


def test_llama3_masks_token_by_token() -> None:
    tokenizer = make("llama3")
    found = row("llama3", (turn("user", "When?"), turn("assistant", "At 6:40."), turn("user", "Why?"), turn("assistant", "So.")))

    def ids(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    head = "<|start_header_id|>{}<|end_header_id|>\n\n"
    end = [tokenizer.convert_tokens_to_ids("<|eot_id|>")]
    pieces = [
        (ids("<|begin_of_text|>" + head.format("user") + "When?<|eot_id|>" + head.format("assistant")), False),
        (ids("At 6:40.") + end, True),
        (ids(head.format("user") + "Why?<|eot_id|>" + head.format("assistant")), False),
        (ids("So.") + end, True),
    ]
    assert list(found.input_ids) == [token for piece, _ in pieces for token in piece]
    assert list(found.labels) == [token if learned else READ_ONLY for piece, learned in pieces for token in piece]


@pytest.mark.parametrize("kind", ["inst", "inst-first"])
def test_inst_masks_token_by_token_and_equals_the_whole_text(kind: str) -> None:
    tokenizer = make(kind)
    found = row(kind, TALK)
    text = "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nWhen do you open? [/INST] At 6:40, Zürich 🙂 </s>"
    text += "<s>[INST] And 日本? [/INST] No. </s>"
    whole = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    assert list(found.input_ids) == whole["input_ids"]
    spans = []
    for answer in (" At 6:40, Zürich 🙂 </s>", " No. </s>"):
        start = text.index(answer)
        spans.append((start, start + len(answer)))
    expected = [
        token if any(begin <= start and end <= last for begin, last in spans) else READ_ONLY
        for token, (start, end) in zip(whole["input_ids"], whole["offset_mapping"], strict=True)
    ]
    assert list(found.labels) == expected


@every_kind
def test_every_answer_is_learned_with_its_end(kind: str) -> None:
    stretches = [text.strip() for text in learned_stretches(kind, row(kind, TALK))]
    gap = " " if kind.startswith("inst") else ""
    assert stretches == [f"At 6:40, Zürich 🙂{gap}{ENDS[kind]}", f"No.{gap}{ENDS[kind]}"]


@every_kind
@pytest.mark.parametrize("messages", [TALK, TALK[1:], TALK[:3], TALK[1:3]])
def test_prompt_is_the_encoded_prefix(kind: str, messages: tuple[dict[str, str], ...]) -> None:
    found = row(kind, messages)
    prompt = prompt_ids(make(kind), messages[:-1])
    assert list(found.input_ids[: len(prompt)]) == prompt
    assert found.labels[len(prompt) - 1] == READ_ONLY
    assert all(label != READ_ONLY for label in found.labels[len(prompt) :])


@every_kind
def test_prompt_takes_the_system_prompt_as_training_does(kind: str) -> None:
    found = row(kind, TALK[1:3], system_prompt=" Be brief. ")
    assert found == row(kind, TALK[:3])
    prompt = prompt_ids(make(kind), TALK[1:2], system_prompt="Be brief.")
    assert list(found.input_ids[: len(prompt)]) == prompt


def test_pad_equal_to_eos_is_learned() -> None:
    tokenizer = make("chatml")
    assert tokenizer.pad_token_id == tokenizer.eos_token_id
    assert row("chatml", TALK).labels.count(tokenizer.eos_token_id) == 2


def test_default_system_turn_is_the_templates_own() -> None:
    with_default = make("chatml").decode(row("chatml", TALK[1:3]).input_ids)
    assert "You are a small helper." in with_default
    assert "You are a small helper." not in make("chatml").decode(row("chatml", TALK[:3]).input_ids)


def test_system_turn_is_folded_where_the_template_has_none() -> None:
    text = make("gemma").decode(row("gemma", TALK[:3]).input_ids)
    assert text.startswith("<start_of_turn>user\nBe brief.\n\nWhen do you open?<end_of_turn>")


def test_with_system_keeps_a_system_turn_of_the_row() -> None:
    assert with_system(TALK, "Other.") == list(TALK)
    assert with_system(TALK[1:], "  ") == list(TALK[1:])
    assert with_system(TALK[1:], "Told.")[0] == turn("system", "Told.")


@every_kind
def test_token_view_shows_the_whole_text(kind: str) -> None:
    found = row(kind, TALK)
    view = token_view(make(kind), found)
    assert "".join(piece for piece, _ in view).strip() == make(kind).decode(found.input_ids).strip()
    assert "".join(piece for piece, learned in view if learned).replace(" ", "") == "".join(
        f"{answer}{ENDS[kind]}" for answer in ("At6:40,Zürich🙂", "No.")
    )
    assert not any("\ufffd" in piece for piece, _ in view)


@every_kind
def test_stop_ids_hold_the_end_of_turn(kind: str) -> None:
    tokenizer = make(kind)
    assert set(stop_ids(tokenizer)) == {tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids(ENDS[kind])}


@every_kind
@pytest.mark.parametrize("max_length", [60, 80, 100, 140, 200])
def test_over_length_drops_the_oldest_exchanges(kind: str, max_length: int) -> None:
    talk = [turn("system", "Be brief.")]
    for number in range(6):
        talk += [turn("user", f"Question number {number}?"), turn("assistant", f"Answer number {number}.")]
    sizes = [len(row(kind, (talk[0], *talk[1 + 2 * cut :]), max_length=10_000).input_ids) for cut in range(6)]
    found = encode(make(kind), Example(messages=tuple(talk)), max_length=max_length)
    fitting = [cut for cut, size in enumerate(sizes) if size <= max_length]
    if not fitting:
        assert isinstance(found, LeftOut) and str(max_length) in found.reason
        return
    cut = fitting[0]
    assert isinstance(found, Encoded)
    assert found.cut_turns == cut and len(found.input_ids) == sizes[cut]
    text = make(kind).decode(found.input_ids)
    assert "Be brief." in text and "Answer number 5." in text
    assert (f"Question number {cut - 1}?" in text) is False


def test_a_last_exchange_that_does_not_fit_is_left_out() -> None:
    long = Example(messages=(turn("user", "word " * 300), turn("assistant", "Yes.")), source_row=12)
    found, left_out = encode_all(make("chatml"), [long, Example(messages=TALK)], max_length=100)
    assert len(found) == 1
    assert left_out[0].row == 12 and "100" in left_out[0].reason and left_out[0].excerpt.startswith("word word")


@pytest.mark.parametrize(
    "messages",
    [
        (turn("user", "Hello?"),),
        (turn("assistant", "Hello."),),
        (turn("user", "Hello?"), {"role": "assistant", "content": None}),
        (turn("user", "Hello?"), {"role": "assistant", "content": 5}),
        (turn("wizard", "Hello?"), turn("assistant", "Hi.")),
        ({"content": "Hello?"}, turn("assistant", "Hi.")),
    ],
)
def test_conversations_that_teach_nothing_are_left_out(messages: tuple[dict[str, str], ...]) -> None:
    for kind in KINDS:
        found = encode(make(kind), Example(messages=messages, source_row=3), max_length=200)
        assert isinstance(found, LeftOut) and found.row == 3 and found.reason.endswith(".")


def test_a_refusal_of_the_template_is_the_rows_reason() -> None:
    messages = (turn("user", "One?"), turn("user", "Two?"), turn("assistant", "Three."))
    found = encode(make("inst"), Example(messages=messages), max_length=200)
    assert isinstance(found, LeftOut) and "roles must take turns" in found.reason
    assert isinstance(encode(make("chatml"), Example(messages=messages), max_length=200), Encoded)
    with pytest.raises(StudioError, match="roles must take turns"):
        prompt_ids(make("inst"), messages[:2])


@pytest.mark.parametrize(
    "template", ["{{ raise_exception('never') }}", "{{ messages[0]['role'] }}", "{% for x in %}", "{{ 1 / 0 }}", "{{ a.b.c }}"]
)
def test_a_template_that_cannot_be_used_is_an_error_for_people(template: str) -> None:
    from copy import deepcopy

    tokenizer = deepcopy(make("chatml"))
    tokenizer.chat_template = template
    with pytest.raises(StudioError, match="chat template cannot be used"):
        encode_all(tokenizer, [Example(messages=TALK)], max_length=200)


def test_a_template_that_looks_into_the_content_is_followed_by_searching() -> None:
    from copy import deepcopy

    tokenizer = deepcopy(make("chatml"))
    tokenizer.chat_template = make("chatml").chat_template.replace(
        "{% for m in messages %}", "{% for m in messages %}{% if 'open' in m['content'] %}{{ '(about hours)' }}{% endif %}", 1
    )
    found = encode(tokenizer, Example(messages=TALK), max_length=500)
    assert isinstance(found, Encoded)
    assert "(about hours)" in tokenizer.decode(found.input_ids)
    assert [text.strip() for text in learned_stretches("chatml", found)] == ["At 6:40, Zürich 🙂<|im_end|>", "No.<|im_end|>"]


def test_lone_surrogates_do_not_crash() -> None:
    for kind in KINDS:
        assert prompt_ids(make(kind), [turn("user", "half \ud800 of one")])
        assert isinstance(encode(make(kind), Example(text="half \ud800 of one"), max_length=50), Encoded)


@pytest.mark.parametrize("kind", ["chatml", "llama3", "inst", "plain"])
def test_plain_text_is_learned_whole_in_windows(kind: str) -> None:
    tokenizer = make(kind)
    text = "When do you open in the morning? " * 20
    found, left_out = encode_all(tokenizer, [Example(text=text, source_row=4)], max_length=64)
    assert not left_out and len(found) > 1
    assert all(item.labels == item.input_ids and 2 <= len(item.input_ids) <= 64 and item.source_row == 4 for item in found)
    joined = [token for item in found for token in item.input_ids]
    whole = tokenizer(text, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
    assert joined == ([tokenizer.bos_token_id] if kind == "inst" else []) + whole
    assert encode(tokenizer, Example(text=text, source_row=4), max_length=64) == found[0]


def test_empty_text_is_left_out() -> None:
    assert isinstance(encode(make("chatml"), Example(text=" \n", source_row=1), max_length=64), LeftOut)
    assert isinstance(encode(make("chatml"), Example(), max_length=64), LeftOut)


def test_all_known_markers_are_found_by_their_pattern() -> None:
    for kind in KINDS:
        for token in make(kind).all_special_tokens:
            if token != "<unk>" and token not in ("<s>", "</s>"):
                assert KNOWN_MARKERS.search(f"a {token} b"), token


def test_rendering_is_linear_in_the_turns() -> None:
    talk = tuple(turn(("user", "assistant")[index % 2], f"Turn {index}.") for index in range(600))
    import time

    start = time.perf_counter()
    found = row("chatml", talk, max_length=200)
    assert found.cut_turns > 280
    assert time.perf_counter() - start < 5
    assert Renderer(make("chatml")).closing == "<|im_end|>"


def test_torch_is_not_needed() -> None:
    import subprocess

    code = "import sys, studio.data.encode, studio.data.convert, studio.data.read; "
    code += "print('torch' in sys.modules, 'transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
