"""The studio asks models for what it shows of them; it knows none by name."""

from __future__ import annotations

import re
from pathlib import Path

import translate.studio
from translate.models import model_class, model_names, model_terms

STUDIO = Path(translate.studio.__file__).parent


def test_no_model_and_no_loss_stands_in_the_studio() -> None:
    configs = [model_class(name).Config(name=name) for name in model_names()]
    words = {*model_names(), *(model_class(name).title for name in model_names())}
    words |= {term.name for config in configs for term in model_terms(config)}
    words |= {type(config).__name__ for config in configs} | {model_class(name).__name__ for name in model_names()}
    assert len(words) > 10
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, words))})\b")
    files = [path for path in STUDIO.rglob("*") if path.suffix in (".py", ".html", ".js", ".css")]
    assert len(files) > 40
    found = [f"{path.relative_to(STUDIO)}: {match[0]}" for path in files if (match := pattern.search(path.read_text()))]
    assert found == []
