"""Gradio's import without the part that is of use only to an editor.

For every component class gradio writes a .pyi file beside its own source, each time it is imported, and finds the place by
parsing both files twice. That is 2.5 of 5.6 CPU seconds here (gradio 6.31, Python 3.11), and it changes installed packages.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

MODULE, WRITER = "gradio.component_meta", "create_or_modify_pyi"


class WithoutStubs(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads that one module as always, then leaves out its writer of .pyi files. Without such a writer it changes nothing."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        """The module's own spec, loaded through here; None for every other module."""
        spec = importlib.machinery.PathFinder.find_spec(name, path, target) if name == MODULE else None
        if spec and spec.loader:
            self.inner, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: Any) -> ModuleType | None:
        """As the module's own loader does it."""
        return self.inner.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, then take the writer's work away."""
        self.inner.exec_module(module)
        if hasattr(module, WRITER):
            setattr(module, WRITER, lambda *_: None)


def quicker_gradio() -> None:
    """To be called before gradio is imported; later it has no effect. Safe to repeat."""
    if MODULE not in sys.modules and not any(isinstance(finder, WithoutStubs) for finder in sys.meta_path):
        sys.meta_path.insert(0, WithoutStubs())
