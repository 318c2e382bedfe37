"""The main job on the real model: what `python app.py --demo` promises, and that its adapter is what the chat answers with."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from studio.demo import right
from studio.inference.engine import ChatEngine
from studio.models.catalog import ModelCatalog
from studio.models.lease import DeviceLease
from studio.runs import RunStore
from studio.samples import sample
from studio.workspace import Workspace

ROOT = Path(__file__).parents[1]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@dataclass(frozen=True)
class Demo:
    """One run of the demo: what it printed and left behind."""

    workspace: Workspace
    code: int
    output: str
    seconds: float

    @property
    def run_id(self) -> str:
        return RunStore(self.workspace).ids()[0]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, shared_starter: Workspace) -> Demo:
    root = tmp_path_factory.mktemp("demo")
    (root / "models").symlink_to(shared_starter.root / "models")
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "app.py", "--demo", "--workspace", str(root)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    print(done.stdout, done.stderr[-2000:])
    return Demo(Workspace(root), done.returncode, done.stdout, time.monotonic() - started)


def test_the_demo_learns_the_facts_and_the_base_does_not_know_them(demo: Demo) -> None:
    assert demo.code == 0
    lower = re.search(r"\((\d+)% lower\)", demo.output)
    assert lower and int(lower.group(1)) >= 60
    found = re.search(r"Right answers to 10 held-out questions: base (\d+), tuned (\d+)", demo.output)
    assert found and int(found.group(1)) <= 1 and int(found.group(2)) >= 8
    assert re.search(r"Time \d+ s", demo.output) and re.search(r"Peak memory [\d.]+ GB", demo.output)
    assert str(RunStore(demo.workspace).folder(demo.run_id)) in demo.output


def test_unrelated_questions_get_no_sample_facts(demo: Demo) -> None:
    assert "Sample facts in 10 unrelated answers: 0." in demo.output


def test_the_run_left_a_whole_record(demo: Demo) -> None:
    runs = RunStore(demo.workspace)
    status = runs.status(demo.run_id)
    assert status.state == "finished" and status.step == status.total_steps >= 50
    curve = runs.curve(demo.run_id)
    assert [step for step, _ in curve.training] == list(range(1, status.total_steps + 1))
    assert curve.validation[0] == (0, status.base_validation_loss)
    assert len(curve.validation) == 11
    answered = {sample.step for sample in runs.samples(demo.run_id)}
    assert {0, status.total_steps} <= answered


def test_plain_peft_gives_the_answer_of_the_chat(demo: Demo) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

    runs, catalog = RunStore(demo.workspace), ModelCatalog(demo.workspace)
    question = sample("bakery")["held_out"][0]["question"]
    engine = ChatEngine(demo.workspace, runs, catalog, DeviceLease(demo.workspace))
    engine.open(demo.run_id)
    messages = [{"role": "user", "content": question}]
    both = list(engine.stream(messages, sides=("base", "tuned"), max_new_tokens=40))[-1]
    engine.close()

    folder = catalog.folder("starter")
    dtype = getattr(torch, runs.status(demo.run_id).compute_dtype)
    digits = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )
    tokenizer = AutoTokenizer.from_pretrained(folder)
    base = AutoModelForCausalLM.from_pretrained(folder, quantization_config=digits, dtype=dtype).eval()

    def answer(model: torch.nn.Module) -> str:
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        with torch.no_grad():
            made = model.generate(**ids, max_new_tokens=40, do_sample=False)
        return tokenizer.decode(made[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)

    assert answer(base) == both["base"].text, "the base side is the base"
    tuned = PeftModel.from_pretrained(base, runs.adapter(demo.run_id))
    assert answer(tuned) == both["tuned"].text
    assert both["tuned"].text != both["base"].text


def test_a_right_answer_holds_its_own_key_and_no_other() -> None:
    keys = ["old marta", "wednesday"]
    assert right("It is Old Marta.", "old marta", keys)
    assert not right("It is Old Marta, closed Wednesday.", "old marta", keys)
    assert not right("It is a starter.", "old marta", keys)
