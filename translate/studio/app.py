"""The page as a whole: a masthead, a tab for each module of `TABS`, the API, and the server under them."""

from __future__ import annotations

import atexit
import errno
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import gradio as gr

from translate.data.images import enable_heif
from translate.errors import UserError
from translate.kernels.memory import share_heaps
from translate.studio import assets, theme
from translate.studio.cards import messages
from translate.studio.events import QUIET
from translate.studio.tabs import api, batch, draw, live, train, translate, video
from translate.studio.tabs import runs as runs_tab
from translate.studio.visitors import is_private

TABS = (translate, draw, live, video, batch, train, runs_tab, api)

MAX_UPLOAD = "100mb"
MAX_WAITING = 64
"""Requests in the queue; who comes later is told that it is full. A page sends up to two for a photo (Gradio tells of a
photo that replaces another one twice), and thirty people who come at once shall all be served."""

CACHE_SECONDS = 3600
"""Age at which uploads and results are deleted, and how often that is looked at."""

WAIT_FOR_PAGE = 20.0
"""Seconds after which PyTorch is imported even though nobody has opened the page."""
PAGE_TAKES = 1.0
"""Seconds in which a browser fetches the rest of the page, once it has begun to run it."""


def build(runs: Path = Path("runs"), private: bool = False) -> gr.Blocks:
    """Make the page.

    Args:
        runs: folder of one's own training runs, whose checkpoints are offered beside the built-in and downloaded ones.
        private: only people reach the page who may read this computer's folders and see and steer all trainings.
    """
    _private_cache()
    with suppress(ImportError):
        enable_heif()  # for the uploads that Gradio opens
    with gr.Blocks(
        title="translate", analytics_enabled=False, delete_cache=(CACHE_SECONDS, CACHE_SECONDS), fill_width=True
    ) as page:
        page.private = private  # for the tabs that ask
        page.opened = threading.Event()  # somebody has the page in their browser
        gr.HTML(messages.masthead(), apply_default_css=False)
        with gr.Tabs(overflow_behavior="wrap"):  # all tabs in sight, on a phone too
            for tab in TABS:
                with gr.Tab(tab.TITLE):
                    tab.build(page, runs)
        page.load(page.opened.set, queue=False, **QUIET)
    page.queue(max_size=MAX_WAITING, default_concurrency_limit=4)
    return page


def launch(
    host: str = "127.0.0.1",
    port: int | None = None,
    auth: str | tuple[str, str] | None = None,
    share: bool = False,
    runs: Path = Path("runs"),
) -> None:
    """Open the studio and serve it until Ctrl+C or SIGTERM.

    Args:
        host: address to listen on; 127.0.0.1 is this computer alone, 0.0.0.0 everybody who can reach it.
        port: 7860 or, where that is taken, the next free one, if it is None.
        auth: `name:password`, or the two as a pair, that visitors have to give; nobody has to if it is None.
        share: ask Gradio's servers for a public link to this computer.
        runs: folder of one's own training runs.
    Raises:
        UserError: the port is taken, the address is not one of this computer, or `auth` is no name with a password.
    """
    _check_address(host, port)
    pair = _credentials(auth)
    share_heaps()
    page = build(runs, private=is_private(host, pair, share))
    try:
        _, address, public = page.launch(
            server_name=host,
            server_port=port,
            auth=pair,
            share=share,
            prevent_thread_lock=True,
            quiet=True,
            inbrowser=False,
            show_error=False,
            max_file_size=MAX_UPLOAD,
            theme=theme.THEME,
            css_paths=assets.STYLES,
            head=theme.HEAD,
            footer_links=["api"],
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            mcp_server=False,
            pwa=False,
        )
    except OSError as error:
        raise UserError(f"{host} has no free port from 7860 to 7959; choose one with --port.") from error
    print(f"The studio is open at {address} (Ctrl+C closes it)", flush=True)
    if pair is None and (public or host not in ("127.0.0.1", "localhost", "::1")):
        print("Everybody who can reach it can use it; --auth NAME:PASSWORD asks visitors who they are.", flush=True)
    threading.Thread(target=_warm_up, args=(page.opened,), daemon=True).start()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # leave in order, so that nobody's pictures stay behind
    page.block_thread()


def _warm_up(opened: threading.Event) -> None:
    """Import PyTorch when the page is in the browser, before the first photo is: at once, both would take longer."""
    if opened.wait(WAIT_FOR_PAGE):
        time.sleep(PAGE_TAKES)
    import translate.inference.translator  # noqa: F401


def _check_address(host: str, port: int | None) -> None:
    """Try the address before Gradio does, which only reports that it found no port, and that late."""
    bare = host.strip("[]")
    try:
        socket.create_server((bare, port or 0), family=socket.AF_INET6 if ":" in bare else socket.AF_INET).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            way_out = "choose another --port, or leave it out to get a free one"
            raise UserError(f"Port {port} is taken, perhaps by another studio; {way_out}.") from error
        reason = (
            "that port is not allowed" if isinstance(error, PermissionError) else "it is no address of this computer"
        )
        raise UserError(f"Cannot listen on {host}: {reason}; 127.0.0.1 is this computer for itself.") from error


def _credentials(auth: str | tuple[str, str] | None) -> tuple[str, str] | None:
    if not isinstance(auth, str):
        return auth
    name, _, password = auth.partition(":")  # the password may hold colons itself
    if not name or not password:
        raise UserError("--auth needs a name and a password with a colon between them, such as ada:secret.")
    return name, password


def _private_cache() -> None:
    """Keep pictures in a folder of this process, for this user only; Gradio's is one for all users."""
    if "GRADIO_TEMP_DIR" not in os.environ:
        os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="translate-studio-")
        atexit.register(shutil.rmtree, os.environ["GRADIO_TEMP_DIR"], ignore_errors=True)
