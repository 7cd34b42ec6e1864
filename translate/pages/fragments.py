"""Pieces of HTML from Jinja2 templates, in which every value is escaped.

A template is a file of macros, in a folder `templates` beside the module that uses it. A macro is called like a
function and gives `Markup`: text that is known to be HTML, which another template takes as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

__all__ = ["Markup", "fragments"]


def fragments(template: Path) -> Callable[..., Markup]:
    """Return the function `render(macro, *values, **values)`, which calls a macro of a template.

    The file is read and compiled when the first macro is called. A value that a macro needs and is not given raises
    `jinja2.UndefinedError`.
    """

    def render(macro: str, *values: Any, **named: Any) -> Markup:
        module = _environment(template.parent).get_template(template.name).module
        return Markup(getattr(module, macro)(*values, **named).strip())

    return render


@lru_cache
def _environment(folder: Path) -> Environment:
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
