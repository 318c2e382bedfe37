"""Searching and looking: what is told before anything is fetched, and what is refused before anybody is asked."""

from __future__ import annotations

import json
import time

import pytest

from studio.errors import Stopped, StudioError
from studio.models import hub as models
from studio.models.hub.client import About, checked_repo, look, search
from studio.models.hub.files import RemoteFile, wanted
from studio.models.published import hub_id
from tests.hub import COMMIT, FakeHub
from tests.models.hub.conftest import CARD, REPO

Files = dict[str, bytes]
LLAMA = {"config": {"model_type": "llama"}}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("owner/name", "owner/name"),
        (" gpt2 ", "gpt2"),
        ("https://huggingface.co/Own.er/na_me-2", "Own.er/na_me-2"),
        ("huggingface.co/owner/name?library=x#y", "owner/name"),
        ("https://huggingface.co/owner/name/tree/main/onnx", "owner/name"),
        ("hf.co/owner/name/", "owner/name"),
    ],
)
def test_a_name_or_its_page_is_taken(name: str, found: str) -> None:
    assert checked_repo(name) == found


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../../etc",
        "a/..",
        ".",
        "/etc/passwd",
        "a b",
        "a\nb",
        "$(id)",
        "https://example.com/a/b",
        "http://[",
        "a/b/c",
        None,
        "é",
    ]
    + ["https://huggingface.co@evil.example/a/b", "https://huggingface.co/../../etc", "x" * 97, "file:///etc/passwd"],
)
def test_what_is_no_name_is_refused_before_anybody_is_asked(hub: FakeHub, name: str) -> None:
    with pytest.raises(StudioError, match="not the name of a model"):
        look(name)
    assert not hub.asked


@pytest.mark.parametrize("address", ["huggingface.co", "ftp://x", "http://", "http://a:99999", "http://user:pass@x", "file:///x"])
def test_an_endpoint_that_is_no_address_is_said(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(StudioError, match="HF_ENDPOINT") as caught:
        search("x")
    assert "pass" not in str(caught.value)


def test_a_version_is_a_commit(hub: FakeHub) -> None:
    with pytest.raises(StudioError, match="not a version"):
        look(REPO, revision="../main")


def test_only_files_that_are_needed_are_chosen() -> None:
    names = {"config.json", "tokenizer.json", "model.safetensors", "model.safetensors.index.json", "chat_template.jinja"}
    shards = {f"model-0000{index}-of-00002.safetensors" for index in (1, 2)}
    never = {
        "pytorch_model.bin",
        "a.gguf",
        "x.pt",
        "modeling_evil.py",
        "original/params.json",
        "consolidated.safetensors",
        "../config.json",
    }
    assert wanted(names | shards | never) == names - {"model.safetensors.index.json"}
    assert wanted((names | shards | never) - {"model.safetensors"}) == (names | shards) - {"model.safetensors"}


def test_a_search_tells_what_there_is_and_what_cannot_be_used(hub: FakeHub) -> None:
    """Also: the next page, which another host would answer, is asked without the token."""
    with FakeHub().serving() as other:
        hub.elsewhere = other
        parameters = {"parameters": {"BF16": 135}, "total": 135}
        hub.add("models", "own/smol", {}, card=CARD, fields={"downloads": 5, "safetensors": parameters, **LLAMA})
        hub.add("models", "own/smol-big", {}, gated=True, fields={"downloads": 50, **LLAMA})
        hub.add("models", "own/smol-odd", {}, fields={"downloads": 3, "config": {"model_type": "mamba<b>"}})
        hub.add(
            "models",
            "own/smol-awq",
            {},
            fields={"downloads": 2, "config": {**LLAMA["config"], "quantization_config": {"bits": 4}}},
        )
        hub.add("models", "own/smol-code", {}, fields={"config": {"auto_map": {"x": "y"}}, "downloads": 1})
        hub.add("models", "own/smol-sees", {}, fields={"pipeline_tag": "image-to-text", **LLAMA})
        hub.add("models", "own/other", {}, fields=LLAMA)
        found = search("SMOL", token="hf_canary")
        assert [item.repo for item in found] == ["own/smol-big", "own/smol", "own/smol-odd", "own/smol-awq", "own/smol-code"]
        assert [bool(item.trouble) for item in found] == [False, False, True, True, True]
        assert (found[1].licence, found[1].parameters, found[1].model_type, found[1].updated) == (
            "apache-2.0",
            135,
            "llama",
            "2026-01-01",
        )
        assert found[0].gated and found[0].parameters is None
        assert [token for _, _, token in hub.asked] == ["hf_canary"]
        assert other.asked and not any(token for _, _, token in other.asked)


def test_a_look_tells_what_will_be_fetched_and_fetches_only_the_settings(hub: FakeHub, tiny_files: Files) -> None:
    hub.add("models", REPO, tiny_files, card={"license": "other", "license_name": "own-licence"})
    about = look(f"https://huggingface.co/{REPO}")
    assert (about.repo, about.revision, about.licence, about.trouble, about.closed) == (REPO, COMMIT, "own-licence", "", "")
    names = {item.name for item in about.files}
    assert names == set(tiny_files) - {"README.md", "pytorch_model.bin", "onnx/model.onnx", "a.gguf"}
    assert about.download_bytes == sum(len(tiny_files[name]) for name in names)
    assert about.config == json.loads(tiny_files["config.json"])
    assert (about.model_type, about.context, about.shape.layers) == ("llama", 512, 2)
    assert about.id == hub_id(REPO.lower()) and about.id.startswith("tiny-model-")
    assert list(hub.served) == ["config.json"]


CONFIGS = {
    "code": ({"auto_map": {"AutoModelForCausalLM": "evil.Evil"}}, "run code of its own"),
    "kind": ({"model_type": "mamba"}, "not one this app knows"),
    "quantized": ({"quantization_config": {"quant_method": "awq"}}, "already stored in fewer digits"),
    "huge": ({"hidden_size": 10**9}, "more than any real model"),
    "nan": ({"rope_theta": float("nan")}, "numbers that are none"),
}


@pytest.mark.long
@pytest.mark.parametrize("case", CONFIGS)
def test_a_model_that_cannot_be_used_is_said_before_its_weights_are_fetched(
    hub: FakeHub, tiny_files: Files, workspace, case: str
) -> None:
    changes, sentence = CONFIGS[case]
    config = json.dumps({**json.loads(tiny_files["config.json"]), **changes}).encode()
    hub.add("models", REPO, {**tiny_files, "config.json": config})
    about = look(REPO)
    assert sentence in about.trouble
    for refused in (lambda: models.remember(workspace, about), lambda: models.fetch(workspace, REPO)):
        with pytest.raises(StudioError, match=sentence):
            refused()
    assert "model.safetensors" not in hub.served
    assert not list((workspace.root / "models").iterdir())


@pytest.mark.long
@pytest.mark.parametrize(
    ("gone", "sentence"),
    [("model.safetensors", "no weights in the safetensors format. Files such as .bin"), ("config.json", "no config.json")]
    + [("tokenizer.json", "no tokenizer.json")],
)
def test_what_is_missing_is_said(hub: FakeHub, tiny_files: Files, gone: str, sentence: str) -> None:
    hub.add("models", REPO, {name: data for name, data in tiny_files.items() if name != gone})
    assert sentence in look(REPO).trouble


def test_looking_can_be_stopped(hub: FakeHub) -> None:
    started = time.monotonic()
    with pytest.raises(Stopped):
        look(REPO, stop=lambda: True)
    assert time.monotonic() - started < 1


def test_a_file_too_large_for_one_download_is_said() -> None:
    from studio.models.hub.client import _fault_of

    files = [RemoteFile(name, 10, "", "0" * 40) for name in ("config.json", "tokenizer.json")]
    large = RemoteFile("model.safetensors", 51 * 10**9, "0" * 64, "")
    about = About(REPO, COMMIT, "", False, 0, "", 0, (*files, large))
    assert "larger than this app loads" in _fault_of(about, [])
