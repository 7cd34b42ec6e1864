"""What is left out of Gradio's import, and that the rest is as it was."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("gradio", reason="the studio needs gradio")


def told(script: str) -> list[str]:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()


def test_stubs_and_documentation_of_components_are_left_out() -> None:
    script = """
import translate.studio, gradio.component_meta as meta, sys
print(meta.create_or_modify_pyi.__module__, meta.EventListener.set_doc.__module__)
print(any("quick_import" in type(finder).__module__ for finder in sys.meta_path))
import gradio as gr
with gr.Blocks() as page:
    gr.Button().click(lambda: "here", None, gr.Textbox())
print(len(page.fns))
"""
    assert told(script) == ["translate.studio.quick_import", "translate.studio.quick_import", "False", "1"]


def test_a_gradio_that_is_there_already_is_left_alone() -> None:
    script = """
import gradio, sys
import translate.studio
import gradio.component_meta as meta
print(meta.create_or_modify_pyi.__module__)
print(any("quick_import" in type(finder).__module__ for finder in sys.meta_path))
"""
    assert told(script) == ["gradio.component_meta", "False"]


def test_the_collector_of_garbage_is_on_again() -> None:
    assert told("import gc; from translate.studio import launch; print(gc.isenabled())") == ["True"]
