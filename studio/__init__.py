"""Finetune Studio: teach a small language model from your own examples, on your own computer."""
