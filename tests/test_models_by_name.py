"""Only models/ knows models by name, and only networks/ knows networks: everything else asks the class."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import translate
from translate.models import model_class, model_names, model_terms
from translate.networks import DISCRIMINATORS, GENERATORS

PACKAGE = Path(translate.__file__).parent
THEIR_REPOSITORIES = re.compile(r"pytorch-CycleGAN-and-pix2pix|contrastive-unpaired-translation")
"""Names of the reference implementations, whose files are imported and exported."""
ENGLISH = {
    "cut": {"data/images.py", "data/formats.py", "data/transforms/sizes.py", "inference/video/film.py"},
}
"""Words of English that are a model's name too, and the modules that use them as English."""
REFERENCE = ("checkpoints/reference.py", "checkpoints/reference_keys.py")
"""Modules about the reference's files: its networks are these two, and each has keys of its own."""


def place(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def modules(*without: str) -> list[Path]:
    """The package's modules, but for folders and modules of these names."""
    found = [path for path in sorted(PACKAGE.rglob("*.py")) if not place(path).startswith(without)]
    assert len(found) > 150
    return found


def docstrings(tree: ast.AST) -> set[int]:
    """Ids of the string constants that stand alone as a statement: docstrings of modules, classes, functions, names."""
    return {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def strings(source: str) -> Iterator[str]:
    """String constants, those within f-strings too, without docstrings and without names of the reference."""
    tree = ast.parse(source)
    skipped = docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield THEIR_REPOSITORIES.sub("", node.value)


def identifiers(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield from node.name.split(".")
        elif isinstance(node, ast.ImportFrom):
            yield from (node.module or "").split(".")


def model_words() -> set[str]:
    return {*model_names(), *(model_class(name).title.lower() for name in model_names())}


def loss_names() -> set[str]:
    configs = [model_class(name).Config(name=name) for name in model_names()]
    return {term.name for config in configs for term in model_terms(config)} - {"G_total"}


def wrong_strings(source: str, where: str) -> list[str]:
    """What of a module's strings is a model's or a loss's name."""
    words = {word for word in model_words() if where not in ENGLISH.get(word, ())}
    names = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, sorted(words)))})(?![\w-])", re.IGNORECASE)
    losses = re.compile(rf"\b({'|'.join(sorted(loss_names()))})\b")
    return [match[0] for text in strings(source) for found in (names, losses) if (match := found.search(text))]


def test_the_rule_finds_what_it_forbids() -> None:
    assert {"pix2pix", "cyclegan", "cut", "fastcut"} <= model_words()
    assert {"G_L1", "cycle_A", "NCE", "D_real"} <= loss_names()
    assert wrong_strings('x = f"train a CycleGAN with {y}"', "a.py") == ["CycleGAN"]
    assert wrong_strings('x = row["cycle_A"]', "a.py") == ["cycle_A"]
    assert wrong_strings('"""pix2pix"""\nx = "pytorch-CycleGAN-and-pix2pix", "shortcut", "G_total"', "a.py") == []
    assert wrong_strings('x = "the file is cut short"', "data/images.py") == []
    assert wrong_strings('x = "cut"', "a.py") == ["cut"]
    assert "CycleGANConfig" in set(identifiers("from translate.models.cyclegan import CycleGANConfig"))


def test_no_model_and_no_loss_is_named_outside_of_models() -> None:
    found = [
        f"{place(path)}: {word}" for path in modules("models/") for word in wrong_strings(path.read_text(), place(path))
    ]
    assert found == []


def test_no_class_of_a_model_is_used_outside_of_models() -> None:
    classes = {thing.__name__ for name in model_names() for thing in (model_class(name), model_class(name).Config)}
    rooms = {model_class(name).__module__ for name in model_names()}
    assert {"CycleGAN", "Pix2PixConfig", "FastCUT"} <= classes
    found = [
        f"{place(path)}: {name}"
        for path in modules("models/")
        for name in identifiers(path.read_text())
        if name in classes
    ]
    imported = [
        f"{place(path)}: {node.module}"
        for path in modules("models/")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module in rooms
    ]
    assert found + imported == []


def test_no_model_and_no_loss_stands_in_the_pages() -> None:
    """Templates, scripts and styles have no docstrings: no word may stand there at all."""
    words = {*(word for word in model_words() if word not in ENGLISH), *loss_names()}
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, sorted(words)))})\b")
    files = [path for path in PACKAGE.rglob("*") if path.suffix in (".html", ".js", ".css")]
    assert len(files) > 10
    assert [f"{place(path)}: {match[0]}" for path in files if (match := pattern.search(path.read_text()))] == []


def test_no_class_of_a_network_is_asked_for_outside_of_networks() -> None:
    classes = {
        thing.__name__
        for registry in (GENERATORS, DISCRIMINATORS)
        for name in registry.names()
        for thing in (registry[name], registry[name].Config)
    }
    assert {"ResNetConfig", "UNetGenerator", "PatchConfig"} <= classes
    defaults = {"models/settings.py": {"ResNetConfig", "PatchConfig"}}  # of settings that name no network
    found = []
    for path in modules("networks/", *REFERENCE):
        allowed = defaults.get(place(path), set())
        found += [f"{place(path)}: {name}" for name in identifiers(path.read_text()) if name in classes - allowed]
        found += [f"{place(path)}: {text}" for text in comparisons(path.read_text())]
    assert found == []


def comparisons(source: str) -> list[str]:
    """Comparisons of a setting with a network's name: `config.architecture == "unet"`."""
    networks = {*GENERATORS.names(), *DISCRIMINATORS.names()}
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
            asks = any(isinstance(part, ast.Attribute) and part.attr in ("architecture", "kind") for part in parts)
            if asks and {part.value for part in parts if isinstance(part, ast.Constant)} & networks:
                found.append(ast.unparse(node))
    return found


def test_the_rule_finds_a_comparison() -> None:
    assert comparisons('if config.architecture == "unet": pass') == ["config.architecture == 'unet'"]
    assert comparisons("if config.architecture == other.architecture: pass") == []
