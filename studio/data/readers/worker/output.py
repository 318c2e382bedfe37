"""What the worker prints: one JSON value a line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from itertools import islice
from typing import Any, NoReturn

BATCH = 256  # rows or blocks held at once


def say(value: Any) -> None:
    """Print one line of JSON."""
    sys.stdout.write(json.dumps(value, default=plain) + "\n")


def say_many(about: dict[str, Any], key: str, values: Iterable[Any]) -> None:
    """Print many values under `key`, some hundred to a line: a line costs more than a value."""
    values = iter(values)
    while some := list(islice(values, BATCH)):
        say({**about, key: some})


def fail(kind: str, found: int = 0) -> NoReturn:
    """Say what is wrong and leave."""
    say({"error": kind, "found": found})
    sys.stdout.flush()
    sys.exit(0)


def plain(value: Any) -> Any:
    """JSON's stand-in for a value it has no form for."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
