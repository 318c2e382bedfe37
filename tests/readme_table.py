"""Prints the README's table of settings from the settings themselves: `python -m tests.readme_table`."""

from __future__ import annotations

from studio.config import all_settings
from studio.fields import Setting


def table() -> str:
    """The Markdown table, one row a setting."""
    lines = ["| setting | default | what it does | allowed | why this default |", "|---|---|---|---|---|"]
    for item in all_settings().values():
        lines.append(f"| {item.label} | {item.shown(item.default)} | {item.help} | {allowed(item)} | {item.source} |")
    return "\n".join(lines)


def allowed(item: Setting) -> str:
    """The range or the choices in words."""
    if item.choices:
        return "; ".join(label for _, label in item.choices)
    if item.kind is bool:
        return "on or off"
    if item.kind is str:
        return f"up to {item.maximum:.10g} characters"
    low = f"more than {item.above:.10g}" if item.above is not None else f"{item.minimum:.10g}"
    return f"{low} to {item.maximum:.10g}"


if __name__ == "__main__":
    print(table())
