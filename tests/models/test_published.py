"""The list of published models: whole, sourced, true to transformers, found by words, and compared with what was fetched."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import pytest

from studio.config import RunConfig
from studio.models.folder import MODEL_TYPES, ModelFacts
from studio.models.published import LIST, SAME, Published, differences, find, hub_id, published, search

NAMES = {"repo", "title", "family", "model_type", "sources"}  # what it is called; transformers is asked about the model_type
ALL = published()


def as_transformers_says_it(item: Published) -> dict[str, Any]:
    """The shape under the names of transformers' configuration classes."""
    shape = item.shape
    values = {
        "hidden_size": shape.hidden_size,
        "num_hidden_layers": shape.layers,
        "vocab_size": shape.vocab_size,
        "intermediate_size": shape.intermediate_size,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "tie_word_embeddings": shape.tied,
        "max_position_embeddings": item.context,
        "pad_token_id": None,
    }
    if shape.experts > 1:
        values |= {"num_experts": shape.experts, "num_experts_per_tok": shape.experts_used}
        values |= {"moe_intermediate_size": shape.intermediate_size}
    return values


def test_about_thirty_models_of_all_sizes_each_once() -> None:
    assert 25 <= len(ALL) <= 40
    assert (
        len({item.repo.lower() for item in ALL})
        == len({item.id for item in ALL})
        == len({item.title for item in ALL})
        == len(ALL)
    )
    assert min(item.parameters for item in ALL) < 0.2e9 and max(item.parameters for item in ALL) > 70e9
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+", item.repo) and item.context >= 2048 for item in ALL)


def test_everything_that_is_said_has_a_source_and_nothing_else_has() -> None:
    for item in json.loads(LIST.read_text(encoding="utf-8"))["models"]:
        assert set(item["sources"]) == set(item) - NAMES, item["repo"]
        assert all("https://" in source or "transformers 5" in source for source in item["sources"].values()), item["repo"]
        assert all(value not in ("", [], {}, None) for value in item.values()), f"{item['repo']}: leave out what is not known"


@pytest.mark.parametrize("item", ALL, ids=lambda item: item.id)
def test_a_model_can_be_loaded_and_its_figures_agree(item: Published) -> None:
    from transformers import AutoConfig

    assert item.model_type in MODEL_TYPES
    config = AutoConfig.for_model(item.model_type, **as_transformers_says_it(item))
    assert (config.num_hidden_layers, config.vocab_size) == (item.shape.layers, item.shape.vocab_size)
    assert abs(item.shape.parameters - item.parameters) <= SAME * item.parameters
    assert item.shape.heads % item.shape.kv_heads == 0 and 1 <= item.shape.experts_used <= item.shape.experts


@pytest.mark.long
def test_the_parameters_are_those_transformers_counts() -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    for item in ALL:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(AutoConfig.for_model(item.model_type, **as_transformers_says_it(item)))
        model.tie_weights()
        assert sum(weight.numel() for weight in model.parameters()) == item.parameters, item.repo
        assert type(model).__name__ in item.sources["parameters"]


def test_recommended_settings_are_settings() -> None:
    assert sum(bool(item.settings) for item in ALL) >= 10
    assert all(RunConfig().replace(**item.settings).faults() == [] for item in ALL)


def test_sentences_are_short_and_plain() -> None:
    for item in ALL:
        for text in filter(None, (item.allows, item.strengths)):
            assert text[0].isupper() and text.endswith(".") and "!" not in text, text
            assert len(text.split()) <= 20, text
        assert bool(item.licence) == bool(item.allows), item.repo


def test_ids_stay_what_they_were() -> None:
    assert hub_id("HuggingFaceTB/SmolLM3-3B") == "smollm3-3b-3b44bd"
    assert hub_id("huggingfacetb/smollm3-3b") == hub_id("HuggingFaceTB/SmolLM3-3B")
    assert hub_id("other/SmolLM3-3B") != hub_id("HuggingFaceTB/SmolLM3-3B")
    assert all(
        re.fullmatch(r"[a-z0-9-]{1,64}", name) for name in (hub_id("x" * 90 + "/" + "y" * 90), hub_id("a/../b"), hub_id(""))
    )


def test_found_by_name_in_any_case() -> None:
    assert find("qwen/QWEN3-0.6b").title == "Qwen3 0.6B"
    assert find("qwen/nothing") is None


def test_searched_by_words_and_filtered() -> None:
    assert search("") == list(ALL)
    assert [item.title for item in search("  instruct SMOLLM2 1.7b ")] == ["SmolLM2 1.7B Instruct"]
    assert {item.family for item in search("german")} >= {"Llama 3", "SmolLM3", "Qwen2.5", "Granite"}
    assert all("German" in item.languages for item in search("german"))
    assert search("german klingon") == []
    assert {item.family for item in search("", family="gemma")} == {"Gemma"}
    assert [item.repo for item in search("", licence="mit")] == ["microsoft/phi-4"]
    assert search("", most_parameters=10**9) == [item for item in ALL if item.parameters <= 10**9] != []
    asked, open_ones = search("", gated=True), search("", gated=False)
    assert {item.family for item in asked} == {"Llama 3", "Gemma"}
    unknown = [item for item in ALL if item.gated is None]
    assert len(asked) + len(open_ones) + len(unknown) == len(ALL) and not any(item.gated for item in open_ones)


def test_what_the_model_itself_says_is_compared_with_the_list() -> None:
    item = find("Qwen/Qwen2.5-1.5B-Instruct")
    same = ModelFacts(item.model_type, item.shape, item.parameters + 1000, 2 * item.parameters, item.context, True, "BF16")
    assert differences(item, same) == []
    shape = dataclasses.replace(item.shape, layers=30, tied=False, experts=8)
    other = dataclasses.replace(same, model_type="qwen3", shape=shape, parameters=2 * item.parameters, context=131072)
    found = differences(item, other)
    assert "The catalogue says 28 layers, the model has 30." in found
    assert "The catalogue says 1 experts, the model has 8." in found
    assert "The catalogue says its kind is qwen2, the model says qwen3." in found
    assert "The catalogue and the model disagree whether head and embedding are one." in found
    assert len(found) == 6 and all(len(text.split()) <= 20 for text in found)
