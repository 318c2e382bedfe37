"""Templates and tokenizers of unknown origin: what runs code, hangs, swells or breaks is refused; what models use passes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.errors import StudioError
from studio.models.catalog import ModelCatalog
from studio.models.folder import check as checking
from studio.models.folder import check_untrusted, own_template
from studio.models.folder.vocabulary import risky
from studio.models.load import load_tokenizer
from studio.workspace import Workspace

pytestmark = pytest.mark.long


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


TEMPLATES = {
    "reaches for the interpreter": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "runs a command": "{{ cycler.__init__.__globals__.os.popen('touch MARKER').read() }}",
    "never ends": "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}" + 3 * "{% endfor %}",
    "fills the memory": "{% set x = 'a' * 10**10 %}{{ x }}",
    "doubles itself": "{% set n = namespace(x='aaaa') %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}{{ n.x }}",
    "is broken": "{% for %}",
    "is empty": "{# nothing #}",
    "reaches through a filter": "{{ messages|map(attribute='__class__')|list }}{{ self.__init__.__globals__ }}",
    "formats its way out": "{{ '{0.__class__.__mro__}'.format(messages).__class__.__base__.__subclasses__() }}",
    "changes the messages": "{{ messages.clear() }}x",
    "writes for ever": "{% for a in range(9999) %}{% for b in range(9999) %}xxxxxxxxxxxxxxxx{% endfor %}{% endfor %}",
    "refuses everything": "{{ raise_exception('no') }}",
    "loads another file": "{% include '/etc/passwd' %}",
}
TAKE_SECONDS = {"doubles itself", "writes for ever"}  # until a limit ends them; one that does stays among the quick ones


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long) if name in TAKE_SECONDS else name for name in TEMPLATES]
)
def test_dangerous_templates_are_refused(folder: Path, workspace: Workspace, name: str) -> None:
    marker = folder.parent / "marker"
    (folder / "chat_template.jinja").write_text(TEMPLATES[name].replace("MARKER", str(marker)))
    with pytest.raises(StudioError, match="template"):
        ModelCatalog(workspace).register_local(str(folder))
    assert not marker.exists()


def test_templates_that_models_really_use_pass(folder: Path, workspace: Workspace) -> None:
    (folder / "chat_template.jinja").write_text(
        "{%- if tools %}{{ tools | tojson }}{%- endif %}{% for m in messages %}"
        "{% if m.role == 'system' %}{{ raise_exception('no') }}{% endif %}"
        "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{% endif %}{{ m['content'] | trim }}"
        "{% if loop.last %}{% break %}{% endif %}{% endfor %}{{ strftime_now('%d %b %Y') }}"
    )
    assert ModelCatalog(workspace).register_local(str(folder)).has_chat_template


FORMS: dict[str, Callable[[Path], None]] = {}


def form(name: str) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    return lambda function: FORMS.setdefault(name, function)


def settings(folder: Path, **values: Any) -> None:
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@form("in tokenizer_config.json")
def as_text(folder: Path, text: str) -> None:
    settings(folder, chat_template=text)


@form("as a list by name")
def as_list(folder: Path, text: str) -> None:
    settings(folder, chat_template=[{"name": "tool_use", "template": "other"}, {"name": "default", "template": text}])


@form("as an object by name")
def as_object(folder: Path, text: str) -> None:
    settings(folder, chat_template={"tool_use": "other", "default": text})


@form("in chat_template.json")
def as_json(folder: Path, text: str) -> None:
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": text}))


@form("beside additional ones")
def beside(folder: Path, text: str) -> None:
    (folder / "chat_template.jinja").write_text(text)
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tool_use.jinja").write_text("other")


@pytest.mark.parametrize("name", FORMS)
def test_the_template_that_is_tried_is_the_one_that_is_used(folder: Path, name: str) -> None:
    text = "{% for m in messages %}<|im_start|>{{ m.role }} {{ m.content }}<|im_end|>{% endfor %}"
    (folder / "chat_template.jinja").unlink()
    assert own_template(folder) == ""
    FORMS[name](folder, text)
    assert own_template(folder) == load_tokenizer(folder).chat_template == text
    assert checking.check_model_folder(folder).has_chat_template


@pytest.mark.long
def test_a_dangerous_template_is_found_in_a_list(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    as_list(folder, TEMPLATES["never ends"])
    with pytest.raises(StudioError, match="template does not come to an end"):
        check_untrusted(folder)


def change(*path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def apply(about: dict[str, Any]) -> None:
        for name in path[:-1]:
            about = about[name]
        about[path[-1]] = value

    return apply


def split_on(pattern: str) -> Callable[[dict[str, Any]], None]:
    step = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return change("pre_tokenizer", value=step)


def replaces(*pairs: tuple[str, str]) -> Callable[[dict[str, Any]], None]:
    steps = [{"type": "Replace", "pattern": {"String": one}, "content": other} for one, other in pairs]
    return change("normalizer", value={"type": "Sequence", "normalizers": steps})


def many_marks(about: dict[str, Any]) -> None:
    marks = [{"SpecialToken": {"id": "<|im_end|>", "type_id": 0}}] * 500
    token = {"<|im_end|>": {"id": "<|im_end|>", "ids": [2], "tokens": ["<|im_end|>"]}}
    single = [*marks, {"Sequence": {"id": "A", "type_id": 0}}]
    about["post_processor"] = {"type": "TemplateProcessing", "single": single, "pair": single, "special_tokens": token}


BOMBS: dict[str, Callable[[dict[str, Any]], None]] = {
    "a backtracking expression": split_on("(a+)+$"),
    "one in a class of its own": split_on(r"(?:[^\s(]+\s?)*x"),
    "one that a run shows": split_on("(?:a|aa)+$"),
    "a very long expression": split_on("a|" * 5_000),
    "letters that double": replaces(*[("q", "qq")] * 40),
    "a letter that becomes a book": replaces(("q", "z" * 100_000)),
    "more steps than any": replaces(*[("q", "z")] * 100),
    "tokens without end": many_marks,
    "an endless added token": change("added_tokens", value=[{"id": 0, "content": "x" * 100_000, "special": True}]),
    "a vocabulary that is none": change("model", "vocab", value=3),
    "an unknown model": change("model", "type", value="Evil"),
    "an unknown step": change("pre_tokenizer", value={"type": "Evil"}),
    "no model": change("model", value=None),
}


@pytest.mark.parametrize("name", BOMBS)
def test_dangerous_tokenizers_are_refused(folder: Path, workspace: Workspace, name: str) -> None:
    path = folder / "tokenizer.json"
    about = json.loads(path.read_text())
    BOMBS[name](about)
    path.write_text(json.dumps(about))
    with pytest.raises(StudioError, match="tokenizer"):
        ModelCatalog(workspace).register_local(str(folder))


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff\xfe", b"[" * 200_000])
def test_a_tokenizer_that_is_none(folder: Path, content: bytes) -> None:
    (folder / "tokenizer.json").write_bytes(content)
    with pytest.raises(StudioError, match="tokenizer"):
        check_untrusted(folder)


# as published: GPT-2, Llama 3, o200k, and DeepSeek's digits
@pytest.mark.parametrize(
    "pattern",
    [
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}",
        r"\p{N}{1,3}",
    ],
)
def test_expressions_of_published_tokenizers_pass(pattern: str) -> None:
    assert not risky(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+",
        "(?:a*b?)*",
        r"((\w+)\s?)*",
        "(a{2,})+",
        "(a|b+)*c",
        "([ab]+)*",
        r"(?:x+x+)+y",
        "(a+){1,}",
        "(a+){2}*",
        "(a+)?*",
        "(a+){9999}",
    ],
)
def test_nested_repeats_are_risky(pattern: str) -> None:
    assert risky(pattern)


def test_a_class_that_no_library_knows_reads_tokenizer_json_all_the_same(folder: Path) -> None:
    settings(folder, tokenizer_class="EvilTokenizer")
    assert check_untrusted(folder).model_type == "llama"
    assert load_tokenizer(folder).is_fast


@pytest.mark.parametrize("said", [b"", b"template", b"tokenizer"])
def test_a_trial_that_takes_too_long_is_ended(folder: Path, monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    import subprocess

    def late(command: list[str], **_: Any) -> None:
        raise subprocess.TimeoutExpired(command, 1, output=said or None)

    monkeypatch.setattr(checking.subprocess, "run", late)
    with pytest.raises(StudioError, match="does not come to an end" if said else "could not be looked at"):
        check_untrusted(folder)
