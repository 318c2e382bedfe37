"""Imports of two libraries without a part of them that nothing here uses, and of a third by two threads at once.

For every component class gradio writes a .pyi file beside its own source, each time it is imported, and finds the place by
parsing both files twice. That is 2.5 of 5.6 CPU seconds here (gradio 6.31, Python 3.11), and it changes installed packages.

bitsandbytes hands its fallbacks to torch's compiler as it is imported. That alone loads the compiler: 1.3 of the 7.1 CPU
seconds of everything a training imports (bitsandbytes 0.49, torch 2.13). The fallbacks are for devices without kernels of
their own; there they now run as written, where the first use would have looked for a C compiler.

transformers puts another module in its own place as it is imported. A thread that asked for it meanwhile is left with the
first one, which is all but empty: "cannot import name 'get_scheduler'". The page imports it in the background, so a training
started in that moment would have failed.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any


@contextlib.contextmanager
def without_stubs(module: ModuleType) -> Iterator[None]:
    """Take the writer of .pyi files away once the module has run. Without such a writer this changes nothing."""
    yield
    if hasattr(module, "create_or_modify_pyi"):
        module.create_or_modify_pyi = lambda *_: None


@contextlib.contextmanager
def without_compiler(module: ModuleType) -> Iterator[None]:
    """Let `torch.compile` give functions back as they are while the module runs."""
    import torch  # noqa: PLC0415

    compiler, torch.compile = torch.compile, lambda function=None, **_: function or (lambda inner: inner)
    try:
        yield
    finally:
        torch.compile = compiler


@contextlib.contextmanager
def as_its_successor(module: ModuleType) -> Iterator[None]:
    """Let the module answer as the one that takes its place in `sys.modules` while it runs, if one does."""
    yield
    successor = sys.modules[module.__name__]
    if successor is not module:
        module.__getattr__ = lambda name: getattr(successor, name)


TREATED: dict[str, Callable[[ModuleType], contextlib.AbstractContextManager[None]]] = {
    "gradio.component_meta": without_stubs,
    "bitsandbytes.backends.default.ops": without_compiler,
    "transformers": as_its_successor,
}


class Treated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads the modules of `TREATED` as always, each inside its treatment."""

    def __init__(self) -> None:
        self.inner: dict[str, Any] = {}

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        """The module's own spec, loaded through here; None for every other module."""
        spec = importlib.machinery.PathFinder.find_spec(name, path, target) if name in TREATED else None
        if spec and spec.loader:
            self.inner[name], spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: Any) -> ModuleType | None:
        """As the module's own loader does it."""
        return self.inner[spec.name].create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module."""
        with TREATED[module.__name__](module):
            self.inner[module.__name__].exec_module(module)


def quicker_imports() -> None:
    """To be called before the libraries are imported; later it has no effect. Safe to repeat."""
    if not any(isinstance(finder, Treated) for finder in sys.meta_path):
        sys.meta_path.insert(0, Treated())
