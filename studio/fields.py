"""`setting()`: one definition of a setting that feeds the form, the checks, the JSON and the README."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Setting:
    """What there is to say about one setting. `label` and `help` are read by people, `source` says where the default is from."""

    name: str
    label: str
    help: str
    default: Any
    kind: type
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    choices: tuple[tuple[str, str], ...] = ()
    many: bool = False
    source: str = ""
    advanced: bool = True

    def fault(self, value: Any) -> str | None:
        """The sentence that says why `value` cannot be used, or None when it can."""
        if self.choices:
            return self._choice_fault(value)
        if self.kind is bool:
            return None if isinstance(value, bool) else f"“{self.label}” must be on or off."
        if self.kind is str:
            return self._text_fault(value)
        return self._number_fault(value)

    def shown(self, value: Any) -> str:
        """A value that has no fault, as people read it: the choice's label, on or off, a number with its unit."""
        if self.choices:
            names = dict(self.choices)
            return ", ".join(names[item] for item in (value if self.many else [value]))
        if self.kind is bool:
            return "on" if value else "off"
        return (value or "empty") if self.kind is str else f"{value:.10g} {self.unit}".strip()

    def _choice_fault(self, value: Any) -> str | None:
        allowed = [key for key, _ in self.choices]
        values = list(value) if self.many and isinstance(value, (list, tuple)) else [value]
        if self.many and not values:
            return f"“{self.label}” needs at least one choice."
        if all(isinstance(item, str) and item in allowed for item in values) and len(set(values)) == len(values):
            return None
        return f"“{self.label}” must be one of: {', '.join(allowed)}."

    def _text_fault(self, value: Any) -> str | None:
        longest = int(self.maximum or 200)
        if not isinstance(value, str):
            return f"“{self.label}” must be text."
        return None if len(value) <= longest else f"“{self.label}” may have at most {longest} characters."

    def _number_fault(self, value: Any) -> str | None:
        whole = self.kind is int
        number = isinstance(value, int) or (isinstance(value, float) and not whole)
        if isinstance(value, bool) or not number or not math.isfinite(value):
            return f"“{self.label}” must be a {'whole ' if whole else ''}number."
        if self.above is not None and value <= self.above:
            return f"“{self.label}” must be more than {self.above:g}."
        if self.minimum is not None and value < self.minimum:
            return f"“{self.label}” must be at least {self.minimum:g}."
        if self.maximum is not None and value > self.maximum:
            return f"“{self.label}” must be at most {self.maximum:g}."
        return None


def setting(default: Any, label: str, help: str, **about: Any) -> Any:
    """Define a dataclass field that is a setting. `about` takes the other fields of `Setting`."""
    about.setdefault("kind", str if about.get("choices") else type(default))
    metadata = {"setting": Setting(name="", label=label, help=help, default=default, **about)}
    return dataclasses.field(default=default, metadata=metadata)


def settings_of(owner: Any) -> dict[str, Setting]:
    """The settings of a dataclass (or an instance of one) by field name, in order."""
    found = {}
    for item in dataclasses.fields(owner):
        if "setting" in item.metadata:
            found[item.name] = dataclasses.replace(item.metadata["setting"], name=item.name)
    return found


def faults_of(owner: Any) -> list[str]:
    """Every fault in the settings of a dataclass instance, in order."""
    checked = ((item, getattr(owner, name)) for name, item in settings_of(owner).items())
    return [fault for item, value in checked if (fault := item.fault(value))]


def coerce(item: Setting, value: Any) -> Any:
    """Bring a value from a form (where whole numbers may arrive as 8.0 and tuples as lists) to the setting's own type."""
    if item.many and isinstance(value, list):
        return tuple(value)
    if item.kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if item.kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value
