"""Answers in batches: the same as the library's own generation, and the model is left as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from studio.data.encode import prompt_ids, stop_ids
from studio.errors import StudioError
from studio.inference.decode import TOP_P, Text, decode, greedy, plain_forward, sampler
from studio.inference.generate import answer_all
from studio.models.adapters import add_adapter
from studio.models.load import load_base, load_tokenizer

ASKED = ["what is red", "When do you open?", "it", "naïve café 🙂 " * 8]


def asked(texts: list[str]) -> list[list[dict[str, str]]]:
    return [[{"role": "user", "content": text}] for text in texts]


@pytest.fixture
def tiny(tiny_model: Path) -> tuple[Any, Any]:
    return load_base(tiny_model, "none", compute_dtype="float32"), load_tokenizer(tiny_model)


def test_a_batch_answers_like_the_library_row_by_row(tiny: tuple[Any, Any]) -> None:
    model, tokenizer = tiny
    expected = []
    for conversation in asked(ASKED):
        ids = torch.tensor([prompt_ids(tokenizer, conversation)])
        made = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=20,
            do_sample=False,
            eos_token_id=stop_ids(tokenizer),
            pad_token_id=tokenizer.pad_token_id,
        )
        expected.append(tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True).rstrip("\ufffd").strip())
    assert answer_all(model, tokenizer, asked(ASKED), max_new_tokens=20) == expected
    assert any(expected)


def test_more_rows_than_fit_at_once_come_back_in_order(tiny: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokenizer = tiny
    whole = answer_all(model, tokenizer, asked(ASKED), max_new_tokens=6)
    monkeypatch.setattr("studio.inference.generate.ROWS_AT_ONCE", 3)
    assert answer_all(model, tokenizer, asked(ASKED), max_new_tokens=6) == whole
    assert answer_all(model, tokenizer, [], max_new_tokens=6) == []


def test_rows_that_end_leave_the_batch(tiny: tuple[Any, Any]) -> None:
    """Each row is made to end at its own time; the others must go on as if alone."""
    model, tokenizer = tiny
    prompts = [prompt_ids(tokenizer, conversation) for conversation in asked(ASKED)]

    def run(rows: list[list[int]], ends: list[int]) -> list[list[int]]:
        written: list[list[int]] = [[] for _ in rows]
        steps = decode(plain_forward(model), rows, stop_ids=ends, pad_id=0, max_new_tokens=15, choose=greedy)
        for found in steps:
            for row, token in found.items():
                if token is not None:
                    written[row].append(token)
        return written

    free = [run([prompt], [])[0] for prompt in prompts]
    assert all(len(row) == 15 for row in free)
    ends = list({free[0][3], free[1][7]})  # tokens that end some rows early
    alone = [run([prompt], ends)[0] for prompt in prompts]
    assert len({len(row) for row in alone}) > 1, "some rows must end before others for this to test anything"
    assert run(prompts, ends) == alone


def test_the_model_is_left_as_it_was(tiny: tuple[Any, Any]) -> None:
    model, tokenizer = tiny
    settings = {"r": 2, "lora_alpha": 4, "lora_dropout": 0.5, "target_modules": "all-linear", "use_rslora": False}
    model = add_adapter(model, **settings, use_dora=False, seed=1)
    model.train()
    model.get_base_model().model.norm.eval()  # a mixed state
    state = torch.get_rng_state()
    before = (
        [module.training for module in model.modules()],
        [item.requires_grad for item in model.parameters()],
        model.config.use_cache,
        model.generation_config.to_dict(),
    )
    first = answer_all(model, tokenizer, asked(ASKED[:2]), max_new_tokens=5)
    assert before == (
        [module.training for module in model.modules()],
        [item.requires_grad for item in model.parameters()],
        model.config.use_cache,
        model.generation_config.to_dict(),
    )
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled()
    assert answer_all(model, tokenizer, asked(ASKED[:2]), max_new_tokens=5) == first


def test_an_error_leaves_it_as_it_was_too(tiny: tuple[Any, Any]) -> None:
    model, tokenizer = tiny
    model.train()
    with pytest.raises(ZeroDivisionError):
        answer_all(model, tokenizer, asked(ASKED), max_new_tokens=5, stop=lambda: 1 / 0)
    assert model.training and torch.is_grad_enabled()


def test_stop_ends_all_answers(tiny: tuple[Any, Any]) -> None:
    model, tokenizer = tiny
    calls = []

    def stop() -> bool:
        calls.append(1)
        return len(calls) > 4

    cut = answer_all(model, tokenizer, asked(ASKED[:1]), max_new_tokens=100, stop=stop)
    assert len(calls) == 5
    assert answer_all(model, tokenizer, asked(ASKED[:1]), max_new_tokens=4) == cut
    assert answer_all(model, tokenizer, asked(ASKED[:2]), max_new_tokens=100, stop=lambda: True) == ["", ""]


def test_a_prompt_longer_than_the_context_keeps_its_end(tiny: tuple[Any, Any]) -> None:
    model, tokenizer = tiny
    assert len(answer_all(model, tokenizer, asked(["very long " * 500]), max_new_tokens=5)) == 1


def test_broken_numbers_are_said(tiny: tuple[Any, Any]) -> None:
    model, tokenizer = tiny
    with torch.no_grad():
        model.model.norm.weight.fill_(float("nan"))
    with pytest.raises(StudioError, match="broken"):
        answer_all(model, tokenizer, asked(ASKED[:1]), max_new_tokens=2)


def test_sampling_keeps_to_the_top_and_repeats_with_a_seed() -> None:
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log().repeat(2000, 1)
    drawn = sampler(1.0, seed=4)(logits)
    assert torch.equal(drawn, sampler(1.0, seed=4)(logits))
    assert set(drawn.tolist()) == {0, 1, 2} and TOP_P == 0.9
    share = (drawn == 0).float().mean().item()
    assert share == pytest.approx(0.5 / 0.95, abs=0.05)
    assert set(sampler(0.0)(logits).tolist()) == {0}
    assert (sampler(0.1, seed=1)(logits) == 0).float().mean() > 0.97
    assert set(sampler(2.0, seed=1)(torch.tensor([[100.0, 0, 0]]).repeat(50, 1)).tolist()) == {0}


def test_text_grows_and_never_shows_half_a_character(tiny: tuple[Any, Any]) -> None:
    tokenizer = tiny[1]
    for said in ("naïve café, 日本語, 🙂👩‍👩‍👧 done", "plain", " leading and trailing ", "a\n\nb"):
        text, before = Text(tokenizer), ""
        for token in tokenizer(said, add_special_tokens=False)["input_ids"]:
            text.add(token)
            now = text.text()
            assert "\ufffd" not in now and now.startswith(before)
            before = now
        assert before == said
