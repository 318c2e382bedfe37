"""New words: one piece each, learned with the adapter, answered alike by plain peft, and unknown to the base."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.data.token_cache import fingerprint
from studio.errors import StudioError
from studio.models import adapters, load, words
from studio.training.checkpoints import save_adapter

pytestmark = pytest.mark.long

SHAPE = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0, "target_modules": "all-linear", "use_rslora": False, "use_dora": False}
TEXT = "the Quarkbrot is red, what is Zimtlinge?"


@pytest.fixture(params=["own head", "tied", "room to spare"])
def folder(request: pytest.FixtureRequest, tiny_model: Path, tmp_path: Path) -> Path:
    """The tiny model: with a head of its own, with the embedding as its head, and with rows no token uses."""
    if request.param == "own head":
        return tiny_model
    from transformers import AutoConfig, AutoModelForCausalLM

    changes = {"tie_word_embeddings": True} if request.param == "tied" else {"vocab_size": 320}
    torch.manual_seed(7)
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(tiny_model, **changes))
    model.save_pretrained(str(tmp_path / "model"))
    load.load_tokenizer(tiny_model).save_pretrained(str(tmp_path / "model"))
    return tmp_path / "model"


def taught(folder: Path, quantization: str) -> tuple[Any, Any, dict[int, list[int]]]:
    """(model, tokenizer, new words) after two steps."""
    tokenizer = load.load_tokenizer(folder)
    new = words.extend(tokenizer, "Quarkbrot\n\n Zimtlinge \nred\nQuarkbrot")
    model = adapters.add_adapter(load.load_base(folder, quantization), **SHAPE, new_tokens=new, seed=3)
    learned = [item for item in model.parameters() if item.requires_grad]
    optimizer, ids = torch.optim.AdamW(learned, lr=0.05), tokenizer(TEXT, return_tensors="pt")["input_ids"]
    for _ in range(2):
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model, tokenizer, new


def answer(model: Any, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=ids).logits


@pytest.mark.parametrize("quantization", ["none", "nf4"])
def test_plain_peft_with_the_saved_tokenizer_answers_the_same(folder: Path, tmp_path: Path, quantization: str) -> None:
    from peft import PeftModel
    from transformers import AutoTokenizer

    model, tokenizer, new = taught(folder, quantization)
    assert len(new) == 2, "a word the model has as one piece is no new one"
    save_adapter(tmp_path / "adapter", model, tokenizer.chat_template, tokenizer=tokenizer)
    again = AutoTokenizer.from_pretrained(tmp_path / "adapter")
    ids = again(TEXT, return_tensors="pt")["input_ids"]
    assert ids.tolist() == [tokenizer(TEXT)["input_ids"]] and set(new) <= set(ids[0].tolist())
    assert again.decode(ids[0]) == TEXT
    base = load.load_base(folder, quantization)  # unquantized this is a plain transformers model
    if len(again) > base.get_input_embeddings().num_embeddings:
        base.resize_token_embeddings(len(again), mean_resizing=False)
    plain = PeftModel.from_pretrained(base, tmp_path / "adapter")
    assert torch.equal(answer(plain, ids), answer(model, ids))
    assert torch.equal(
        answer(adapters.attach_adapter(load.load_base(folder, quantization), tmp_path / "adapter"), ids), answer(model, ids)
    )


def test_only_the_new_rows_learn_and_the_base_stays_the_base(folder: Path) -> None:
    model, _, new = taught(folder, "none")
    learned = {name: item for name, item in model.named_parameters() if item.requires_grad and "lora_" not in name}
    assert learned and all(item.shape[0] == 2 and item.dtype == torch.float32 for item in learned.values())
    ids = torch.tensor([load.load_tokenizer(folder)(TEXT)["input_ids"]])
    with words.as_base(model):
        mine = answer(model, ids)
    fresh = answer(load.load_base(folder, "none"), ids)
    assert torch.equal(mine, fresh[..., : min(new)])
    assert answer(model, ids).shape[-1] > max(new)


def test_a_new_word_starts_from_the_pieces_it_was_written_with(tiny_model: Path) -> None:
    tokenizer = load.load_tokenizer(tiny_model)
    new = words.extend(tokenizer, "Quarkbrot")
    base = load.load_base(tiny_model, "none", compute_dtype="float32")
    expected = base.get_input_embeddings().weight[next(iter(new.values()))].mean(0)
    model = adapters.add_adapter(base, **SHAPE, new_tokens=new, seed=3)
    assert torch.allclose(model.get_input_embeddings()(torch.tensor([max(new)]))[0], expected, atol=1e-6)


def test_kept_tokens_are_not_used_for_other_words(tiny_model: Path) -> None:
    plain, extended, other = (load.load_tokenizer(tiny_model) for _ in range(3))
    words.extend(extended, "Quarkbrot")
    words.extend(other, "Zimtlinge")
    assert len({fingerprint(item) for item in (plain, extended, other)}) == 3


def test_whole_words_only(tiny_model: Path) -> None:
    tokenizer = load.load_tokenizer(tiny_model)
    (new,) = words.extend(tokenizer, "Brot")
    assert new not in tokenizer("Brote xBrot")["input_ids"] and new in tokenizer("a Brot.")["input_ids"]


@pytest.mark.parametrize("word", ["<|im_end|>x", "im_start", "<|"])
def test_a_word_inside_a_mark_of_the_model_is_refused(tiny_model: Path, word: str) -> None:
    with pytest.raises(StudioError, match="part of a mark"):
        words.extend(load.load_tokenizer(tiny_model), word)


@pytest.mark.parametrize(
    "named", [[5], {"embed_tokens": []}, {"a": [-1]}, {"a": ["x"]}, {"a": [0, 10**9]}, {"a": [5], "b": [6]}, 7]
)
def test_an_adapter_that_lists_strange_words_is_refused(tiny_model: Path, tmp_path: Path, named: Any) -> None:
    model, tokenizer, _ = taught(tiny_model, "none")
    save_adapter(tmp_path / "adapter", model, tokenizer.chat_template, tokenizer=tokenizer)
    path = tmp_path / "adapter" / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"trainable_token_indices": named}))
    with pytest.raises(StudioError):
        adapters.attach_adapter(load.load_base(tiny_model, "none"), tmp_path / "adapter")
