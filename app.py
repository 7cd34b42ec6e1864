"""`python app.py` is `translate studio`. Hosts that import this file instead find the page as `demo`."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    from translate.cli import main

    host = os.environ.get("GRADIO_SERVER_NAME")  # hosts of Gradio apps say here where to listen
    sys.argv[1:1] = ["studio", *(["--host", host] if host else [])]
    main()
else:
    from translate.studio import build

    demo = build()
