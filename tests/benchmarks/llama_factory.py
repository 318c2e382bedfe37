"""LLaMA-Factory over the rows of `tests.benchmarks.peers`, which runs this file with the Python of an environment of its own.

Its argument is JSON: the model's folder, "none" or "nf4", the file of rows, optimizer steps, rows a micro-step, micro-steps a
step, rank, rate, and the longest row in tokens. Prints what `peers.told` prints. Computes in 32 bit.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    """Train and tell."""
    folder, held, data, steps, micro, parts, rank, rate, longest = json.loads(sys.argv[1])
    place = Path(tempfile.mkdtemp())
    rows = [json.loads(line) for line in Path(data).read_text(encoding="utf-8").splitlines()]
    (place / "rows.json").write_text(json.dumps([{"messages": row["messages"]} for row in rows]), encoding="utf-8")
    tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
    about = {"file_name": "rows.json", "formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": tags}
    (place / "dataset_info.json").write_text(json.dumps({"rows": about}), encoding="utf-8")

    import transformers
    from llamafactory.train.tuner import run_exp

    ends: list[tuple[float, int]] = []
    plain = transformers.Trainer.training_step

    def timed(self, model, inputs, *rest, **named):
        tokens = int(inputs["attention_mask"].sum())
        loss = plain(self, model, inputs, *rest, **named)
        ends.append((time.time(), tokens))
        return loss

    transformers.Trainer.training_step = timed
    quantized = {"quantization_bit": 4, "quantization_method": "bnb"} if held == "nf4" else {}
    run_exp(
        {
            "model_name_or_path": folder,
            "stage": "sft",
            "do_train": True,
            "finetuning_type": "lora",
            "lora_rank": rank,
            "lora_alpha": 2 * rank,
            "lora_target": "all",
            "dataset": "rows",
            "dataset_dir": str(place),
            "template": "smollm2",  # the starter's
            "cutoff_len": longest,
            "output_dir": str(place / "out"),
            "per_device_train_batch_size": micro,
            "gradient_accumulation_steps": parts,
            "learning_rate": rate,
            "lr_scheduler_type": "constant",
            "max_steps": steps,
            "save_strategy": "no",
            "report_to": "none",
            "use_cpu": True,
            "disable_gradient_checkpointing": True,  # its default is to recompute, which is slower
            **quantized,
        }
    )
    whole = [ends[start : start + parts] for start in range(0, len(ends), parts)]
    found = {"ends": [part[-1][0] for part in whole], "tokens": [sum(tokens for _, tokens in part) for part in whole]}
    print(json.dumps({**found, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
