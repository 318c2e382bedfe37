"""Training: plan (which rows when), step (loss and gradient), loop, callbacks, checkpoints, job (one run, start to end)."""
