"""Gradio is imported in half of the time: what only its developers need is left out.

Whenever Gradio is imported it parses the source of each of its 80 components, writes it anew as a type stub for editors
and compares that with the file beside it; and it renders a page of documentation for each of their events. That is half
of the seconds that people wait for the first page, and nobody edits a program against a studio that is running.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MODULE = "gradio.component_meta"
"""Has the metaclass of Gradio's components, which does all that."""


class _Loader(Loader):
    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        # A Gradio without these does something else, and that is left as it is.
        if hasattr(module, "create_or_modify_pyi"):
            module.create_or_modify_pyi = _nothing  # type: ignore[attr-defined]
        if hasattr(module, "EventListener") and hasattr(module.EventListener, "set_doc"):
            module.EventListener.set_doc = _nothing


class _Finder(MetaPathFinder):
    """Waits for the import of `MODULE`, and gives that one a loader of its own."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


def _nothing(*_: object, **__: object) -> None:
    pass


def prepare() -> None:
    """Have Gradio's next import, if it is the first one, leave out what only its developers need."""
    if MODULE not in sys.modules and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
