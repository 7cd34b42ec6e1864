"""Names and what they stand for: a room adds a thing by one line, and everything else finds it here by its name.

As timm's `register_model` does for models, a registry maps a name to a class. Entries that the project ships are
written as "module:Class" and imported when they are first asked for, so that a list of names costs no import of torch.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import os
from collections.abc import Mapping
from typing import Generic, TypeVar

from translate.errors import UserError

PLUGINS = "TRANSLATE_PLUGINS"
"""Environment variable: comma-separated names of modules that register further models, generators and discriminators.
An installed package can name its module instead as an entry point of the group `translate.plugins`."""

Entry = TypeVar("Entry", bound=type)


class Registry(Generic[Entry]):
    """The things of one kind by name, in the order in which they were registered.

    Args:
        kind: what the things are, for error messages, e.g. "model".
        entries: name → "module:Class" of those that the project ships.
    """

    def __init__(self, kind: str, entries: Mapping[str, str]) -> None:
        self.kind = kind
        self._entries: dict[str, Entry | str] = dict(entries)

    def register(self, name: str, entry: Entry) -> None:
        """Add a thing under a name.

        Raises:
            ValueError: another thing has that name already.
        """
        if self._entries.setdefault(name, entry) is not entry:
            raise ValueError(f"there is a {self.kind} called {name} already")

    def names(self) -> list[str]:
        """All names; nothing that the project ships is imported for it."""
        load_plugins()
        return list(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def __getitem__(self, name: str) -> Entry:
        """The class behind a name, imported now if it was not yet.

        Raises:
            UserError: there is none; the message lists all names, and the nearest one first.
        """
        load_plugins()
        entry = self._entries.get(name)
        if entry is None:
            near = difflib.get_close_matches(str(name), self._entries, n=1)
            meant = f"did you mean {near[0]}? " if near else ""
            raise UserError(f"There is no {self.kind} called {name}; {meant}There are {', '.join(self._entries)}.")
        if isinstance(entry, str):
            module, _, attribute = entry.partition(":")
            entry = getattr(importlib.import_module(module), attribute)
            assert not isinstance(entry, str)
            self._entries[name] = entry
        return entry


def load_plugins() -> None:
    """Import, once a process, the modules that register further things; see PLUGINS.

    Raises:
        UserError: a module that the environment variable names cannot be imported.
    """
    if _loaded:
        return
    _loaded.append(True)  # before the imports: a plug-in may itself look something up
    for name in filter(None, os.environ.get(PLUGINS, "").split(",")):
        try:
            importlib.import_module(name.strip())
        except ImportError as error:
            raise UserError(f"{PLUGINS} names {name}, which cannot be imported: {error}.") from error
    for point in importlib.metadata.entry_points(group="translate.plugins"):
        point.load()


_loaded: list[bool] = []
