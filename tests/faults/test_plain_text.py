"""Issue 19, number 6: text from outside is never markup, an emoji or something to colour."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from rich.text import Text

from tests.conftest import REPOSITORY, picture
from tests.test_cli import translate
from translate import cli
from translate.errors import UserError
from translate.terminal import plain_console

NAMES = [
    "photos [old]",
    "a [b].jpg",
    "[bold]x",
    ":horse:",
    "[link=x]y[/link]",
    "c \\[d]",
    "[/]",
    "[export]",
    "100%[#f00]",
]


@pytest.mark.parametrize("name", NAMES)
def test_an_error_is_printed_as_it_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(words: object) -> None:
        raise UserError(f"Cannot read {name}.")

    monkeypatch.setattr(cli, "app", fail)
    assert translate("models").stderr == f"Error: Cannot read {name}.\n"


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_is_printed_as_it_is(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    folder = tmp_path / name.replace("/", "⁄")
    for domain in ("trainA", "trainB", "[valA]"):
        (folder / domain).mkdir(parents=True)
        picture(1).save(folder / domain / "1.png")
    (folder / "trainA" / "[b] :zap:.png").write_bytes(b"no image")
    shown = translate("inspect", folder)
    assert shown.returncode == 0, shown.stderr
    for text in (folder.name, "trainA/[b] :zap:.png", "[valA]"):
        assert text in shown.stdout.replace("\n", "")


@pytest.mark.parametrize("name", NAMES)
def test_the_title_of_a_checkpoint_is_printed_as_it_is(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    console = plain_console()
    console.print(Text.assemble((name, "bold"), f" {name}"), soft_wrap=True)
    console.print(name, soft_wrap=True)
    assert capsys.readouterr().out == f"{name} {name}\n{name}\n"


def test_nothing_prints_but_through_plain_consoles_and_columns() -> None:
    """A console or column of one's own would read markup again, and `escape` would print its backslashes."""
    found = []
    for path in sorted((REPOSITORY / "translate").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = {
            node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        imports = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        if calls & {"Console", "TextColumn"} or "rich.markup" in imports:
            found.append(path.relative_to(REPOSITORY).as_posix())
    assert found == ["translate/terminal.py"]
