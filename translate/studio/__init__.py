"""The studio: a web page on which anyone can translate pictures.

`launch` opens it; `build` makes the page for hosts that launch it themselves. Each tab is a module of
`tabs`; `app.TABS` lists them in the order of the page.
"""

from __future__ import annotations

import gc
import importlib
import os
from typing import TYPE_CHECKING, Any

from translate.errors import UserError
from translate.studio import quick_import

if TYPE_CHECKING:
    from translate.studio.app import build, launch

__all__ = ["build", "launch"]

# Both matter when Gradio is imported, so they stand here, ahead of every module of this package that imports it.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
quick_import.prepare()


def __getattr__(name: str) -> Any:
    """Import Gradio when the studio is opened, not when the command line asks for its options."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    collecting = gc.isenabled()
    gc.disable()  # a million objects are made that stay: looking through them again and again is a sixth of the time
    try:
        return getattr(importlib.import_module("translate.studio.app"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "gradio":
            raise
        raise UserError("The studio needs Gradio: pip install 'translate-images[app]'.") from error
    finally:
        if collecting:
            gc.enable()
