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


TEMPLATES = {
    "reaches for the interpreter": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "runs a command": "{{ cycler.__init__.__globals__.os.popen('touch MARKER').read() }}",
    "never ends": "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}" + 3 * "{% endfor %}",
    "fills the memory": "{% set x = 'a' * 10**10 %}{{ x }}",
    "doubles itself": "{% set n = namespace(x='aaaa') %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}{{ n.x }}",
    "is broken": "{% for %}",
    "is empty": "{# nothing #}",
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_dangerous_templates_are_refused(folder: Path, workspace: Workspace, name: str) -> None:
    marker = folder.parent / "marker"
    (folder / "chat_template.jinja").write_text(TEMPLATES[name].replace("MARKER", str(marker)))
    with pytest.raises(StudioError, match="template"):
        ModelCatalog(workspace).register_local(str(folder))
    assert not marker.exists()


def test_templates_that_models_really_use_pass(folder: Path, workspace: Workspace) -> None:
    (folder / "chat_template.jinja").write_text(
        "{%- if tools %}{{ tools | tojson }}{%- endif %}{% for m in messages %}"
        "{% if m.role == 'system' %}{{ raise_exception('no') }}{% endif %}"
        "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{% endif %}{{ m['content'] | trim }}"
        "{% if loop.last %}{% break %}{% endif %}{% endfor %}{{ strftime_now('%d %b %Y') }}"
    )
    assert ModelCatalog(workspace).register_local(str(folder)).has_chat_template


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
