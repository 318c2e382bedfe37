"""Run as a child (`python -m studio.models.template_probe FOLDER`): renders a chat template once, in little time and memory.

Leaves with 0 when a short conversation comes out as text of a sensible length. Jinja's sandbox keeps a template from the
interpreter's insides; the limits keep it from taking the computer's time and memory.
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

from studio.models.folder import read_settings

CPU_SECONDS = 2
MEMORY = 1 << 30  # bytes of address space
LONGEST = 100_000  # characters of one short conversation
CONVERSATION = [{"role": "user", "content": "Good morning."}, {"role": "assistant", "content": "Hello."}]


class GenerationMark(Extension):
    """`{% generation %}`: transformers' mark around what the model says. Here it only lets its inside through."""

    tags = {"generation"}

    def parse(self, parser: Any) -> Any:
        """The statements between the two marks."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def main(folder: Path) -> int:
    """0 when the folder's template renders."""
    extensions = ["jinja2.ext.loopcontrols", GenerationMark]
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=extensions)
    environment.filters["tojson"] = lambda value, **_: repr(value)
    environment.globals |= {"raise_exception": _refuse, "strftime_now": lambda shape: datetime.now().strftime(shape)}
    try:
        text = environment.from_string(source_of(folder)).render(
            messages=CONVERSATION, add_generation_prompt=False, bos_token="<s>", eos_token="</s>", pad_token="<pad>", tools=None
        )
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, MemoryError, RecursionError):
        return 1
    return 0 if 0 < len(text) <= LONGEST else 1


def _refuse(message: Any = "") -> NoReturn:
    raise ValueError(message)


def source_of(folder: Path) -> str:
    """The template's text: chat_template.jinja, or the one named default in tokenizer_config.json."""
    path = folder / "chat_template.jinja"
    if path.is_file():
        return path.read_text(encoding="utf-8")[: 1 << 20]
    found = read_settings(folder / "tokenizer_config.json").get("chat_template")
    if isinstance(found, list):
        found = next((item.get("template") for item in found if isinstance(item, dict) and item.get("name") == "default"), "")
    return found if isinstance(found, str) else ""


def limit() -> None:
    """Set the limits, where the system has them; elsewhere the parent's clock alone ends a hang."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415 - not on Windows

        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


if __name__ == "__main__":
    limit()
    sys.exit(main(Path(sys.argv[1])))
