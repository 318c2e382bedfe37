"""The fast step: packed rows through LoRA layers fused by input, with hand-written gradients that save little."""
