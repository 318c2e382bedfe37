"""Small tokenizers, trained here in a moment, with chat templates of the three usual kinds."""

from __future__ import annotations

from functools import cache

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from studio.models.chat_templates import template_for

CORPUS = [
    "When do you open in the morning? We open at 6:40, when the first loaves leave the oven.",
    "What is the name of your sourdough starter? Our starter is called Old Marta.",
    "system user assistant You are a helpful assistant. Answer the question in one short sentence. SYS INST",
    "Grüße aus Zürich, naïve café — 日本語 العربية 🙂",
] * 4

CHATML = (
    "{% for m in messages %}"
    "{% if loop.first and m['role'] != 'system' %}{{ '<|im_start|>system\nYou are a small helper.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}"
    "{% for m in messages %}"
    "{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
INST = (
    "{% if messages[0]['role'] == 'system' %}{% set told = messages[0]['content'] %}{% set rest = messages[1:] %}"
    "{% else %}{% set told = '' %}{% set rest = messages %}{% endif %}"
    "{% for m in rest %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must take turns') }}{% endif %}"
    "{% if m['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' }}"
    "{% if loop.first and told %}{{ '<<SYS>>\n' + told + '\n<</SYS>>\n\n' }}{% endif %}"
    "{{ m['content'] + ' [/INST]' }}"
    "{% else %}{{ ' ' + m['content'] + ' ' + eos_token }}{% endif %}"
    "{% endfor %}"
)
# history without the stub that the newest turn begins with, as thinking models do
THINKING = (
    "{% for m in messages %}"
    "{{ '<|im_start|>' + m['role'] + '\n' }}"
    "{% if m['role'] == 'assistant' and loop.last %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{{ m['content'].split('</think>')[-1] + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% if enable_thinking is defined and not enable_thinking %}{{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif %}"
)
NO_SYSTEM = (
    "{% for m in messages %}"
    "{% if m['role'] == 'system' %}{{ raise_exception('system turns are not supported') }}{% endif %}"
    "{{ '<start_of_turn>' + m['role'] + '\n' + m['content'] + '<end_of_turn>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>assistant\n' }}{% endif %}"
)


def byte_level(special: list[str], **about: str | None) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer, as GPT-2, Llama 3 and SmolLM2 have."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=420,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(tokenizer_object=core, additional_special_tokens=special, **about)


def metaspace(special: list[str], *, legacy: bool, adds_bos: bool, **about: str | None) -> PreTrainedTokenizerFast:
    """A sentencepiece-like BPE tokenizer, as Llama 2 and Mistral have: it puts a space before whatever comes first."""
    core = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    if legacy:
        core.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        core.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
    core.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    trainable = Tokenizer(models.BPE(unk_token="<unk>"))
    trainable.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    trainable.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=200, special_tokens=["<unk>"], show_progress=False))
    vocab = trainable.get_vocab()
    import json

    merges = [tuple(pair) for pair in json.loads(trainable.to_str())["model"]["merges"]]
    words = ["<unk>", *special, *(f"<0x{byte:02X}>" for byte in range(256))]
    words += [word for word in sorted(vocab, key=vocab.get) if word not in words]
    core.model = models.BPE(
        vocab={word: index for index, word in enumerate(words)},
        merges=merges,
        unk_token="<unk>",
        byte_fallback=True,
        fuse_unk=True,
    )
    core.add_special_tokens([*special, "<unk>"])
    if adds_bos:
        core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", core.token_to_id("<s>"))])
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>", **about)


def chosen(tokenizer: PreTrainedTokenizerFast, choice: str) -> PreTrainedTokenizerFast:
    """With a chat template of choice, as a model without one of its own gets it."""
    tokenizer.chat_template = template_for(tokenizer, choice, "")
    return tokenizer


@cache
def make(kind: str) -> PreTrainedTokenizerFast:
    """The tokenizer named `kind`."""
    chatml = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    llama3 = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    tokens = {"bos_token": "<s>", "eos_token": "</s>"}
    gemma = ["<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"]
    if kind == "chatml":
        return byte_level(chatml, eos_token="<|im_end|>", pad_token="<|im_end|>", chat_template=CHATML)
    if kind == "thinking":
        return byte_level(chatml, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=THINKING)
    if kind == "llama3":
        return byte_level(llama3, bos_token=llama3[0], eos_token=llama3[1], pad_token=llama3[1], chat_template=LLAMA3)
    if kind == "gemma":
        return byte_level(gemma, bos_token="<bos>", eos_token="<eos>", chat_template=NO_SYSTEM)
    if kind == "plain":
        return chosen(byte_level(["<|endoftext|>"], eos_token="<|endoftext|>"), "plain")
    if kind == "chosen-marks":
        return chosen(byte_level(chatml, eos_token="<|endoftext|>"), "chatml")
    if kind == "chosen-text":
        return chosen(byte_level(["<|endoftext|>"], eos_token="<|endoftext|>"), "chatml")
    if kind == "chosen-space":
        return chosen(metaspace(["<s>", "</s>"], legacy=True, adds_bos=True, **tokens), "chatml")
    if kind == "inst":
        return metaspace(["<s>", "</s>"], legacy=True, adds_bos=True, chat_template=INST, **tokens)
    if kind == "inst-first":
        return metaspace(["<s>", "</s>"], legacy=False, adds_bos=True, chat_template=INST, **tokens)
    if kind == "plain-space":
        return chosen(metaspace(["<s>", "</s>"], legacy=True, adds_bos=True, **tokens), "plain")
    raise KeyError(kind)
