"""Run as a child (`python -m studio.models.folder.probe FOLDER`): tries a chat template and a tokenizer once, within limits.

Says on a line of its own what it begins with, and leaves with 0 when all went well. Jinja's sandbox keeps a template from the
interpreter's insides; the limits keep template and tokenizer from taking the computer's time and memory.
"""

from __future__ import annotations

import contextlib
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from jinja2.exceptions import TemplateError
from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment

from studio.errors import StudioError
from studio.models.folder.template import own_template
from studio.models.folder.vocabulary import Unusable, check_vocabulary, try_tokenizer

# A tokenizer of Gemma's size (262,144 entries) took 2.5 seconds and 320 MB here
CPU_SECONDS = {"template": 2, "tokenizer": 20}
MEMORY = 2 << 30  # bytes of address space
LONGEST = 100_000  # characters of one short conversation
CONVERSATIONS = [
    [{"role": "user", "content": "Good morning."}, {"role": "assistant", "content": "Hello."}],
    [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Good morning."}],
]
FAULTS = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, MemoryError, RecursionError)


class GenerationMark(Extension):
    """`{% generation %}`: transformers' mark around what the model says. Here it only lets its inside through."""

    tags = {"generation"}

    def parse(self, parser: Any) -> Any:
        """The statements between the two marks."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def main(folder: Path) -> int:
    """0 when the folder's template, if it has one, and its tokenizer can be used."""
    begin("template")
    try:
        source = own_template(folder)
    except StudioError:
        return 1
    if source and not renders(source):
        return 1
    begin("tokenizer")
    try:
        check_vocabulary(folder / "tokenizer.json")
        try_tokenizer(folder / "tokenizer.json")
    except (Unusable, MemoryError, RecursionError):
        return 1
    return 0


def renders(source: str) -> bool:
    """Whether a short conversation comes out as text of a sensible length; the template may refuse a system turn."""
    extensions = ["jinja2.ext.loopcontrols", GenerationMark]
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=extensions)
    environment.filters["tojson"] = lambda value, **_: repr(value)
    environment.globals |= {"raise_exception": _refuse, "strftime_now": lambda shape: datetime.now().strftime(shape)}
    tokens = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    lengths = []
    for conversation in CONVERSATIONS:
        invite = conversation[-1]["role"] == "user"
        try:
            template = environment.from_string(source)
            text = template.render(messages=conversation, add_generation_prompt=invite, tools=None, **tokens)
        except FAULTS:
            text = ""
        lengths.append(len(text))
    return lengths[0] > 0 and max(lengths) <= LONGEST


def _refuse(message: Any = "") -> NoReturn:
    raise ValueError(message)


def begin(part: str) -> None:
    """Say what comes next, and limit the processor time it may take."""
    sys.stdout.write(f"{part}\n")
    sys.stdout.flush()
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415 - not on Windows; there the parent's clock alone ends a hang

        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = int(used.ru_utime + used.ru_stime) + 1 + CPU_SECONDS[part]
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))


def limit() -> None:
    """Limit memory, where the system can."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415 - not on Windows

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


if __name__ == "__main__":
    limit()
    sys.exit(main(Path(sys.argv[1])))
