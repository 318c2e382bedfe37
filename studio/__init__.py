"""Finetune Studio: teach a small language model from your own examples, on your own computer.

Whatever is imported from here comes after `quicker_imports`, so that gradio and bitsandbytes load in less time.
"""

from studio.quicker import quicker_imports

quicker_imports()
