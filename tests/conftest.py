"""What many tests share: workspaces, the real starter model (fetched once, kept between sessions), and a tiny random one."""

from __future__ import annotations

import gc
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

import studio  # noqa: F401 - before any test imports gradio or bitsandbytes
from studio.models.catalog import ModelCatalog
from studio.models.fetch import ensure
from studio.models.hardware import calm_threads
from studio.workspace import Workspace

HERE = Path(__file__).parent
CACHE = HERE / ".cache" / "workspace"
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TEXT = ["what is red it is blue", "When do you open? At 6:40, when the oven is warm.", "naïve café, 日本語, 🙂"]


os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # dozens of children import the same modules, and each would compile them
calm_threads()  # as app.py and `python -m studio.training` do, before torch is imported


def pytest_collection_finish() -> None:
    """Tests are collected and the libraries imported."""
    spare_the_collector()


def spare_the_collector() -> None:
    """Take what lives now out of the garbage collector's sight: it is here to stay, and giving memory back walks all the rest."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace."""
    return Workspace(tmp_path / "workspace")


@pytest.fixture(scope="session")
def shared_starter() -> Workspace:
    """A workspace that holds the real starter. The first session fetches it with pip, later ones find it. Only for reading."""
    shared = Workspace(CACHE)
    ensure(shared, "starter")
    return shared


@pytest.fixture
def starter_workspace(tmp_path: Path, shared_starter: Workspace) -> Workspace:
    """An empty workspace whose models are those of `shared_starter`."""
    root = tmp_path / "workspace"
    root.mkdir()
    (root / "models").symlink_to(shared_starter.root / "models")
    return Workspace(root)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transformers folder with a random Llama of two layers and a byte-level tokenizer: loads in a moment, knows nothing."""
    folder = save_tiny_model(tmp_path_factory.mktemp("tiny") / "tiny")
    spare_the_collector()
    return folder


def save_tiny_model(folder: Path) -> Path:
    """Write the tiny model. The same weights every time."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = tiny_tokenizer()
    config = LlamaConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=len(tokenizer),
        max_position_embeddings=512,
        tie_word_embeddings=False,
        initializer_range=0.15,  # large and untied, so that the likeliest next token varies
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        LlamaForCausalLM(config).eval().save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    return folder


def tiny_tokenizer() -> Any:
    """A byte-level BPE tokenizer of 300 tokens with ChatML turns."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=marks, initial_alphabet=alphabet, show_progress=False)
    core.train_from_iterator(TEXT * 4, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=CHATML, model_max_length=512
    )


@pytest.fixture(scope="session")
def tiny_entry(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a workspace keeps of the tiny model once it is checked and registered."""
    workspace = Workspace(tmp_path_factory.mktemp("registered") / "workspace")
    return workspace.folder("models", ModelCatalog(workspace).register_local(str(tiny_model)).id)


@pytest.fixture
def tiny_workspace(workspace: Workspace, tiny_entry: Path) -> Workspace:
    """An empty workspace in which the tiny model is registered under the id "tiny"."""
    shutil.copytree(tiny_entry, workspace.folder("models", "tiny"))
    return workspace


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The development data of this project, where it is present."""
    path = Path(os.environ.get("STUDIO_SHARED") or HERE.parents[1] / "shared") / "data"
    if not path.is_dir():
        pytest.skip("the development data (../shared/data, or STUDIO_SHARED) is not on this machine")
    return path
