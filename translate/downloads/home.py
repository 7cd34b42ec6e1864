"""Where downloads are kept: data sets, checkpoints, weights, and models converted for other runtimes."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def home() -> Path:
    """Where downloads are kept: $TRANSLATE_HOME, or `translate` in the user's folder for caches; it may not exist."""
    if chosen := os.environ.get("TRANSLATE_HOME"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        cache = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        cache = Path.home() / "Library" / "Caches"
    else:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "translate"
