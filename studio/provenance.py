"""Where rows come from: the questions, each said once; what the file itself answers; what sharing still needs."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from studio.datasets import DatasetStore
from studio.errors import ConfigError
from studio.fields import setting, settings_of
from studio.records import Provenance
from studio.workspace import sha256_file

OPEN = ("", "Not said yet")
SAMPLE = 500  # rows looked at
LARGEST_WORKBOOK = 5 * 2**20  # bytes; the list of parts of a larger one could fill the memory
LARGEST_ABOUT = 2**16  # bytes of the part of a workbook that says when it was saved
SAVED = re.compile(rb"<dcterms:modified[^<>]{0,200}>(\d{4}-\d\d-\d\d)T")
LANGUAGES = {"language", "lang", "locale"}
GENERATORS = {"model", "model_name", "generator", "generated_by"}
CHAT_MODELS = {"gpt", "chatgpt"}


@dataclass(frozen=True)
class Questions:
    """What a person is asked. Sharing needs the answers to all that are not advanced; training needs none."""

    origin: str = setting(
        "",
        "Where do the examples come from?",
        "For example: mails to our shop, a book, a public data set and its address.",
        maximum=500,
        advanced=False,
    )
    licence: str = setting(
        "",
        "May others use them? (licence)",
        "What the owner allows. It decides how you may share what was learned.",
        choices=(
            OPEN,
            ("own", "They are mine, all rights kept"),
            ("permission", "I have the owner's permission"),
            ("CC0-1.0", "Free for all, public domain (CC0)"),
            ("CC-BY-4.0", "Free with the author's name (CC BY)"),
            ("CC-BY-SA-4.0", "With the name, under the same licence (CC BY-SA)"),
            ("CC-BY-NC-4.0", "With the name, not for business (CC BY-NC)"),
            ("MIT", "MIT"),
            ("Apache-2.0", "Apache 2.0"),
            ("other", "Another one, named in the notes"),
        ),
        advanced=False,
    )
    consent: str = setting(
        "",
        "Did the people in them agree?",
        "People who wrote the examples, or who are named in them.",
        choices=(
            OPEN,
            ("nobody", "No person wrote them or is in them but me"),
            ("yes", "Yes, they agreed to this use"),
            ("public", "Not asked; they published it themselves"),
            ("no", "No"),
        ),
        advanced=False,
    )
    sensitive: str = setting(
        "",
        "Is anything private in them?",
        "Names with addresses, health, money, passwords, secrets of a business.",
        choices=(OPEN, ("no", "No"), ("removed", "It was, and was taken out"), ("yes", "Yes")),
        advanced=False,
    )
    machine_written: str = setting(
        "",
        "Did a machine write any of them?",
        "Answers of a language model, say. Some providers do not allow to learn from them.",
        choices=(OPEN, ("no", "No, people did"), ("yes", "Yes, all or a part")),
        advanced=False,
    )
    language: str = setting(
        "", "In which language are they?", "One or more, as a name or a code: English, or en.", maximum=100, advanced=False
    )
    owner: str = setting("", "Who do they belong to?", "A person, a business or a project.", maximum=200)
    period: str = setting("", "When were they written?", "A year or a span: 2019 to 2024.", maximum=100)
    notes: str = setting("", "What else should be known?", "How they were chosen, what is missing, whom to ask.", maximum=2000)


MACHINE: dict[str, bool | None] = {"": None, "no": False, "yes": True}
"""The answer to `machine_written` -> what the record holds."""


def answers(provenance: Provenance) -> dict[str, str]:
    """What was answered to each question, as the form shows it."""
    found = {name: getattr(provenance, name) for name in settings_of(Questions)}
    return {**found, "machine_written": next(key for key, value in MACHINE.items() if value is provenance.machine_written)}


def answered(provenance: Provenance, **values: Any) -> Provenance:
    """The record with some questions answered anew. Raises ConfigError that names every answer that cannot be used."""
    kinds = settings_of(Questions)
    cleaned = {name: clean(value) for name, value in values.items()}
    faults = [f"There is no question named {name!r}." for name in cleaned if name not in kinds]
    faults += [fault for name, value in cleaned.items() if name in kinds and (fault := kinds[name].fault(value))]
    if faults:
        raise ConfigError(faults)
    if "machine_written" in cleaned:
        cleaned["machine_written"] = MACHINE[cleaned["machine_written"]]
    return replace(provenance, **cleaned)


def clean(value: Any) -> Any:
    """A text without what no file and no page can show; anything else as it is."""
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "ignore").decode("utf-8").replace("\x00", "").replace("\r\n", "\n").strip()


def missing(provenance: Provenance) -> list[str]:
    """Names of the questions that must be answered before the data, or what was learned from it, is shared."""
    found = answers(provenance)
    return [name for name, item in settings_of(Questions).items() if not item.advanced and not found[name].strip()]


def say(store: DatasetStore, dataset_id: str, **values: Any) -> Provenance:
    """Answer questions about a saved data set; its rows stay as they are. Raises ConfigError and NotFound."""
    found = answered(of_record(store.get(dataset_id).provenance), **values)
    store.set_provenance(dataset_id, found)
    return found


def of_record(values: Mapping[str, Any]) -> Provenance:
    """The provenance in a data set's record."""
    found = Provenance.from_json(dict(values))
    return replace(found, files=tuple(found.files))


def over(said: Provenance, found: Provenance) -> Provenance:
    """What was said, and where nothing was, what was found."""
    return replace(found, **{name: value for name, value in vars(said).items() if value not in ("", None, ())})


def with_files(provenance: Provenance, files: Sequence[tuple[str, Path]]) -> Provenance:
    """The record with the name and the SHA-256 of each file the rows come from."""
    found = tuple({"name": name, "sha256": sha256_file(path)} for name, path in files)
    if not found:
        return provenance
    return replace(provenance, original_file=found[0]["name"], original_sha256=found[0]["sha256"], files=found)


def known(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], source: Path) -> Provenance:
    """What the file itself says, to be put before the person as the first answer.

    The language, where a column names one for all rows. Machine-written, where a column names the model that wrote, or turns
    are spoken by "gpt". The period ends on the day a workbook was saved; other files lose their date on the way to the app.
    """
    first = list(islice(rows, SAMPLE))
    told = {name: [row.get(name) for row in first if row.get(name)] for name in columns}
    spoken = {language for name in columns if name.strip().lower() in LANGUAGES for language in map(str, told[name])}
    machine = any(told[name] for name in columns if name.strip().lower() in GENERATORS) or any(map(by_machine, told.values()))
    saved = saved_on(source)
    return Provenance(
        language=clean(next(iter(spoken)))[:100] if len(spoken) == 1 else "",
        machine_written=True if machine else None,
        period=f"up to {saved}" if saved else "",
    )


def by_machine(values: Iterable[Any]) -> bool:
    """Whether any of a column's values is a chat in which a well-known chat model speaks."""
    chats = (value for value in values if isinstance(value, list))
    speakers = (turn.get("from") for chat in chats for turn in chat if isinstance(turn, dict))
    return any(isinstance(speaker, str) and speaker.lower() in CHAT_MODELS for speaker in speakers)


def saved_on(source: Path) -> str:
    """The day on which an Excel workbook was saved last, as it says itself; empty for anything else."""
    if source.suffix.lower() not in {".xlsx", ".xlsm"} or source.stat().st_size > LARGEST_WORKBOOK:
        return ""
    try:
        with zipfile.ZipFile(source) as book, book.open("docProps/core.xml") as part:
            found = SAVED.search(part.read(LARGEST_ABOUT))
    except (zipfile.BadZipFile, KeyError, OSError, RuntimeError, NotImplementedError, EOFError, zlib.error):
        return ""
    return found.group(1).decode() if found else ""
