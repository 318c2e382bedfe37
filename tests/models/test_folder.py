"""Model folders that are incomplete, unknown, or traps: each is refused with a sentence, and nothing of it runs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from studio.errors import NotFound, StudioError
from studio.models.catalog import ModelCatalog
from studio.models.folder import check_model_folder, shape_of
from studio.models.load import load_base
from studio.workspace import Workspace

PART = "model-00001-of-00002.safetensors"
TRAP = "import pathlib\npathlib.Path({marker!r}).write_text('ran')\n"


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def edit(name: str, **values: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / name
        old = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(old | values))

    return change


def deep(folder: Path) -> None:
    nested: dict = {}
    for _ in range(60):
        nested = {"a": nested}
    edit("config.json", extra=nested)(folder)


def bottomless(folder: Path) -> None:
    (folder / "config.json").write_text("[" * 100_000)


def only_bin(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def huge_header(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes((2**40).to_bytes(8, "little") + path.read_bytes()[8:])


def link_out(folder: Path) -> None:
    outside = folder.parent / "outside.json"
    shutil.move(folder / "tokenizer_config.json", outside)
    (folder / "tokenizer_config.json").symlink_to(outside)


def shard_outside(folder: Path) -> None:
    shutil.move(folder / "model.safetensors", folder.parent / "w.safetensors")
    edit("model.safetensors.index.json", weight_map={"a": "../w.safetensors"})(folder)


def only_an_adapter(folder: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (folder / name).unlink()
    edit("adapter_config.json", peft_type="LORA")(folder)


def too_many(folder: Path) -> None:
    for index in range(2100):
        (folder / f"f{index}").touch()


TRAPS: dict[str, tuple[Callable[[Path], None], str]] = {
    "auto_map": (edit("config.json", auto_map={"AutoModelForCausalLM": "evil.Evil"}), "auto_map"),
    "nested trust": (edit("config.json", text_config={"deep": [{"trust_remote_code": True}]}), "trust_remote_code"),
    "tokenizer code": (edit("tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.T", None]}), "tokenizer_config.json"),
    "generation code": (edit("generation_config.json", auto_map={"x": "evil.G"}), "generation_config.json"),
    "kernel": (edit("config.json", kernel_config={"Linear": "someone/evil"}), "kernel_config"),
    "use kernels": (edit("config.json", use_kernels=True), "use_kernels"),
    "kernel as attention": (edit("config.json", attn_implementation="someone/evil"), "attn_implementation"),
    "hidden kernel": (edit("config.json", _attn_implementation={"": "someone/evil:fn"}), "_attn_implementation"),
    "unknown type": (edit("config.json", model_type="evil"), "evil"),
    "no type": (edit("config.json", model_type=None), "None"),
    "type as list": (edit("config.json", model_type=["llama"]), "kind"),
    "packed already": (edit("config.json", quantization_config={"quant_method": "gptq"}), "fewer digits"),
    "huge": (edit("config.json", hidden_size=10**9), "hidden_size"),
    "larger than its weights": (edit("config.json", num_hidden_layers=900), "larger"),
    "negative": (edit("config.json", num_hidden_layers=-1), "num_hidden_layers"),
    "text for a number": (edit("config.json", vocab_size="many"), "vocab_size"),
    "missing number": (edit("config.json", hidden_size=None), "hidden_size"),
    "deep": (deep, "deep"),
    "bottomless": (bottomless, "cannot be read"),
    "not an object": (lambda f: (f / "config.json").write_text("[1]"), "config.json"),
    "not JSON": (lambda f: (f / "config.json").write_bytes(b"\xff\xfe\x00"), "config.json"),
    "very large settings": (edit("generation_config.json", note="x" * 5_000_000), "too large"),
    "no config": (lambda f: (f / "config.json").unlink(), "config.json is missing"),
    "only .bin": (only_bin, "can run code"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "safetensors"),
    "cut weights": (cut, "cut short"),
    "header larger than the file": (huge_header, "damaged"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json"),
    "link out of the folder": (link_out, "outside"),
    "shard outside": (shard_outside, "missing"),
    "too many files": (too_many, "files"),
    "weights in parts without their list": (lambda f: (f / "model.safetensors").rename(f / PART), "list of them is missing"),
    "weights under another name": (lambda f: (f / "model.safetensors").rename(f / "mine.safetensors"), "mine.safetensors"),
    "GGUF": (lambda f: (f / "model.safetensors").rename(f / "model.gguf"), "GGUF"),
    "an adapter": (only_an_adapter, "an adapter"),
    "a model that follows an adapter": (edit("adapter_config.json", base_model_name_or_path="/elsewhere"), "an adapter"),
    "pictures": (edit("config.json", model_type="gemma3", vision_config={"x": 1}), "pictures"),
    "compressed already": (edit("config.json", compression_config={"quant_method": "x"}), "fewer digits"),
    "sentencepiece alone": (lambda f: (f / "tokenizer.json").rename(f / "tokenizer.model"), "sentencepiece"),
    "another tokenizer file": (edit("tokenizer_config.json", fast_tokenizer_files=["tokenizer.4.0.json"]), "other tokenizer"),
    "a path as a class": (edit("tokenizer_config.json", tokenizer_class="../evil.Evil"), "tokenizer_class"),
    "a list as a class": (edit("tokenizer_config.json", tokenizer_class=["Evil"]), "tokenizer_class"),
    "a template of two megabytes": (lambda f: (f / "chat_template.jinja").write_text("x" * 2_000_000), "template is too large"),
    "experts without end": (edit("config.json", num_experts=10**6), "experts"),
}


@pytest.mark.parametrize("name", TRAPS)
def test_traps_are_refused_by_name(folder: Path, workspace: Workspace, name: str) -> None:
    spring, word = TRAPS[name]
    marker = folder.parent / "marker"
    (folder / "evil.py").write_text(TRAP.format(marker=str(marker)))
    spring(folder)
    with pytest.raises(StudioError, match=word):
        check_model_folder(folder)
    with pytest.raises(StudioError):
        ModelCatalog(workspace).register_local(str(folder))
    with pytest.raises(StudioError):
        load_base(folder, "none")
    assert not marker.exists()
    assert [entry.id for entry in ModelCatalog(workspace).entries()] == ["starter"]


def test_a_folder_is_registered_once_and_noticed_when_it_goes(folder: Path, workspace: Workspace) -> None:
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Mine\n")
    catalog = ModelCatalog(workspace)
    entry = catalog.register_local(f" {folder} ")
    assert catalog.register_local(str(folder)).id == entry.id
    assert [item.id for item in catalog.entries()] == ["starter", entry.id]
    assert entry.ready and entry.origin == "local" and entry.licence == "mit" and entry.context == 512
    assert catalog.folder(entry.id) == folder
    stored = sum(os.path.getsize(folder / name) for name in ("model.safetensors",))
    assert 0 < entry.parameters * 4 <= stored
    away = folder.rename(folder.with_name("away"))
    gone = catalog.get(entry.id)
    assert not gone.ready and "missing" in gone.trouble
    with pytest.raises(StudioError, match="missing"):
        catalog.folder(entry.id)
    away.rename(folder)
    edit("config.json", rope_theta=1.0)(folder)
    with pytest.raises(StudioError, match="changed"):
        catalog.folder(entry.id)
    catalog.register_local(str(folder))
    assert catalog.folder(entry.id) == folder
    catalog.forget(entry.id)
    assert [item.id for item in catalog.entries()] == ["starter"]
    assert folder.is_dir()
    with pytest.raises(NotFound):
        catalog.get(entry.id)


@pytest.mark.parametrize("path", ["", "  ", "relative/folder", "/nonexistent", "/etc/passwd", "a\0b", "/" + "x" * 5000, None, 3])
def test_senseless_paths(workspace: Workspace, path: object) -> None:
    with pytest.raises(StudioError):
        ModelCatalog(workspace).register_local(path)


@pytest.mark.parametrize("model_id", ["../../etc", "UPPER", "", "nothing-here", "x" * 100, "starter/../starter"])
def test_senseless_ids(workspace: Workspace, model_id: str) -> None:
    with pytest.raises(NotFound):
        ModelCatalog(workspace).folder(model_id)


def test_the_starter_is_known_before_it_is_here(workspace: Workspace) -> None:
    entry = ModelCatalog(workspace).get("starter")
    assert not entry.ready and entry.download_bytes == 92_871_040 and entry.licence == "Apache-2.0"
    assert entry.parameters == 134_515_008
    with pytest.raises(StudioError, match="not here yet"):
        ModelCatalog(workspace).folder("starter")


def test_shapes_under_other_families_names() -> None:
    gpt2 = shape_of({"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257})
    assert gpt2.parameters == pytest.approx(124_439_808, rel=0.02)
    qwen = {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14}
    qwen |= {"model_type": "qwen2", "num_key_value_heads": 2, "vocab_size": 151936, "tie_word_embeddings": True}
    assert shape_of(qwen).parameters == pytest.approx(494_032_768, rel=0.02)
