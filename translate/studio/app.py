"""The page as a whole: a masthead, a tab for each module of `TABS`, the API, and the server under them."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import threading
from pathlib import Path

import gradio as gr

from translate.errors import UserError
from translate.studio import api, cards, theme, translate_tab

TABS = (translate_tab,)

MAX_UPLOAD = "100mb"
MAX_WAITING = 32
"""Requests in the queue; who comes later is told that it is full."""

CACHE_SECONDS = 3600
"""Age at which uploads and results are deleted, and how often that is looked at."""


def build(runs: Path = Path("runs")) -> gr.Blocks:
    """Make the page.

    Args:
        runs: folder of one's own training runs, whose checkpoints are offered beside the built-in and downloaded ones.
    """
    _private_cache()
    with gr.Blocks(
        title="translate", analytics_enabled=False, delete_cache=(CACHE_SECONDS, CACHE_SECONDS), fill_width=True
    ) as page:
        gr.HTML(cards.MASTHEAD, apply_default_css=False)
        with gr.Tabs():
            for tab in TABS:
                with gr.Tab(tab.TITLE):
                    tab.build(page, runs)
        api.build(runs)
    page.queue(max_size=MAX_WAITING, default_concurrency_limit=4)
    return page


def launch(
    host: str = "127.0.0.1",
    port: int | None = None,
    auth: tuple[str, str] | None = None,
    share: bool = False,
    runs: Path = Path("runs"),
) -> None:
    """Open the studio and serve it until Ctrl+C.

    Args:
        host: address to listen on; 127.0.0.1 is this computer alone, 0.0.0.0 everybody who can reach it.
        port: 7860 or, where that is taken, the next free one, if it is None.
        auth: a name and a password that visitors have to give.
        share: ask Gradio's servers for a public link to this computer.
        runs: folder of one's own training runs.
    Raises:
        UserError: the port is taken, or the address is not this computer's.
    """
    page = build(runs)
    try:
        _, address, public = page.launch(
            server_name=host,
            server_port=port,
            auth=auth,
            share=share,
            prevent_thread_lock=True,
            quiet=True,
            inbrowser=False,
            show_error=False,
            max_file_size=MAX_UPLOAD,
            theme=theme.THEME,
            css=theme.CSS,
            head=theme.HEAD,
            footer_links=["api"],
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            mcp_server=False,
            pwa=False,
        )
    except OSError as error:
        wish = (
            f"Port {port} of {host} is taken or not this computer's"
            if port
            else f"{host} has no free port from 7860 on"
        )
        raise UserError(f"{wish}; choose another --port, or leave it out to get a free one.") from error
    print(f"The studio is open at {address} (Ctrl+C closes it)", flush=True)
    if public:
        print(f"Everybody with this link can use it{'' if auth else ', without a password'}: {public}", flush=True)
    threading.Thread(target=_warm_up, daemon=True).start()
    page.block_thread()


def _warm_up() -> None:
    """Import PyTorch while the page is already on its way to the browser."""
    import translate.inference.translator  # noqa: F401


def _private_cache() -> None:
    """Keep pictures in a folder of this process, for this user only; Gradio's is one for all users."""
    if "GRADIO_TEMP_DIR" not in os.environ:
        os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="translate-studio-")
        atexit.register(shutil.rmtree, os.environ["GRADIO_TEMP_DIR"], ignore_errors=True)
