"""The model card of a checkpoint: README.md with the YAML head that the Hugging Face Hub reads.

See Mitchell et al. 2019 (https://arxiv.org/abs/1810.03993) and https://huggingface.co/docs/hub/model-cards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from translate.checkpoints.architecture import parameter_count
from translate.checkpoints.settings import CheckpointConfig, Provenance
from translate.models import Model, model_class, model_names, named_model

SAMPLES_FOLDER = "samples"
SAMPLE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")

# The Hub's names for licences that data sets come with; anything else is "other", with its own name beside it.
HUB_LICENSES = frozenset(
    {
        *("mit", "apache-2.0", "bsd-2-clause", "bsd-3-clause", "gpl-3.0", "unlicense", "odc-by", "odbl"),
        *("cc0-1.0", "cc-by-2.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nd-4.0"),
        *("cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0"),
    }
)

HUB_METRICS = frozenset({"fid", "kid", "l1", "lpips", "psnr", "ssim"})
"""What is a metric in the head of a card; yardsticks and circumstances are in its table."""


def model_card(config: CheckpointConfig, folder: Path | None = None) -> str:
    """The text of a checkpoint's README.md.

    Args:
        config: the checkpoint's config.json.
        folder: the checkpoint's folder, for the sizes of its files and the pictures in samples/; left out if None.
    Returns:
        A YAML head between two `---` lines, then markdown. Sections that have nothing to say are left out.
    """
    sections = [
        ("", _introduction(config)),
        ("Samples", _samples(folder)),
        ("How to use it", _usage(config)),
        ("Intended use", _intended_use(config)),
        ("Data and licence", _data(config)),
        ("Training", _training(config)),
        ("Metrics", _metrics(config)),
        ("Limits", config.limits),
        ("Size", _size(config, folder)),
        ("Citation", _citation(config)),
    ]
    body = "\n\n".join(f"## {heading}\n\n{text}" if heading else text for heading, text in sections if text)
    head = yaml.safe_dump(_head(config), sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{head}---\n\n# {config.title or config.name}\n\n{body}\n"


def model_of(config: CheckpointConfig) -> type[Model] | None:
    """The model that a checkpoint was trained as.

    Where its provenance names none that is registered here, as after an import, it is the first model whose usual
    generator is of the same architecture and that has the checkpoint's directions; None if there is no such model.
    """
    named = named_model(config.provenance.model)
    if named is not None:
        return named
    architectures = {generator.architecture for generator in config.generators.values()}
    for model in map(model_class, model_names()):
        usual = model.directions(model.Config())
        if set(config.generators) <= set(usual) and architectures == {usual["a2b"].architecture}:
            return model
    return None


def _head(config: CheckpointConfig) -> dict[str, Any]:
    license, model = config.provenance.license.strip(), model_of(config)
    head: dict[str, Any] = {}
    if license.lower() in HUB_LICENSES:
        head["license"] = license.lower()
    elif license:
        slug = re.sub(r"[^a-z0-9.]+", "-", license.lower()).strip("-")[:64]
        head |= {"license": "other", "license_name": slug or "other"}
    else:
        head["license"] = "unknown"
    head |= {
        "library_name": "translate",
        "pipeline_tag": "image-to-image",
        "tags": ["image-to-image", *([model.Config().name] if model else []), "translate"],
    }
    if config.provenance.dataset:
        head["datasets"] = [config.provenance.dataset]
    metrics = sorted({name for values in _by_direction(config).values() for name in values} & HUB_METRICS)
    if metrics:
        head["metrics"] = metrics
    return head


def _introduction(config: CheckpointConfig) -> str:
    ways = " and ".join(f"from {source} to {target}" for source, target in map(config.ends, config.generators))
    model = model_of(config)
    method = f" Method: {model.title} ({model.needs})." if model else ""
    return "\n\n".join(filter(None, [config.summary, f"It translates images {ways}.{method}"]))


def _samples(folder: Path | None) -> str:
    pictures = folder / SAMPLES_FOLDER if folder else None
    if pictures is None or not pictures.is_dir():
        return ""
    names = sorted(path.name for path in pictures.iterdir() if path.suffix.lower() in SAMPLE_SUFFIXES)
    images = {Path(name).stem: f"![{Path(name).stem}](<{SAMPLES_FOLDER}/{name}>)" for name in names}
    pairs = [name.removesuffix("_before") for name in images if name.endswith("_before")]
    rows = [f"| {images.pop(f'{pair}_before')} | {images.pop(f'{pair}_after', '')} |" for pair in pairs]
    table = ["\n".join(["| before | after |", "| --- | --- |", *rows])] if rows else []
    return "\n\n".join([*table, *images.values()])


def _usage(config: CheckpointConfig) -> str:
    directions = list(config.generators)
    both = len(directions) > 1
    python = ["import translate", "", f'translator = translate.load("{config.name}")']
    shell = []
    for direction in directions:
        source, target = config.ends(direction)
        argument = f', direction="{direction}"' if both else ""
        python.append(f'translator("photo.jpg"{argument}).save("translated.png")  # {source} → {target}')
        option = f" --direction {direction}" if both else ""
        shell.append(f"translate run {config.name} photo.jpg -o translated.png{option}")
    return (
        f"```python\n{chr(10).join(python)}\n```\n\n```bash\n{chr(10).join(shell)}\n```\n\n"
        "The folder of this checkpoint can stand in place of its name. "
        "Images of any size are taken, and come back at their own size."
    )


def _intended_use(config: CheckpointConfig) -> str:
    sources = " or ".join(dict.fromkeys(config.ends(direction)[0] for direction in config.generators))
    return (
        f"Pictures that look like the training data ({sources}, squares of {config.image_size} pixels), for play, "
        "teaching and research. What it makes is invented: it is no evidence of what a place or a person looks like."
    )


def _data(config: CheckpointConfig) -> str:
    provenance = config.provenance
    domains = f"A shows {config.domains['a']}, B shows {config.domains['b']}." if provenance.dataset else ""
    rows = {"Data set": provenance.dataset, "Domains": domains, "Licence of the data": provenance.license}
    return _list(rows)


def _training(config: CheckpointConfig) -> str:
    provenance = config.provenance
    rows = {
        "Method": provenance.model,
        "Started from": provenance.start,
        "Distilled from": _teacher(provenance),
        "Trained against": ", ".join(provenance.features),
        "Steps": f"{provenance.steps:,}" if provenance.steps else "",
        "Epochs": f"{provenance.epochs:g}" if provenance.epochs else "",
        "Batch size": f"{provenance.batch_size}" if provenance.batch_size else "",
        "Time": _duration(provenance.seconds) if provenance.seconds else "",
        "Machine": provenance.machine,
        "Commit": provenance.commit,
        "Version": provenance.version,
        "Seed": "" if provenance.seed is None else f"{provenance.seed}",
        "Finished": provenance.created,
    }
    return _list(rows)


def _teacher(provenance: Provenance) -> str:
    if not provenance.teacher_digest:
        return provenance.teacher
    return f"{provenance.teacher} (SHA-256 of its weights: {provenance.teacher_digest})"


def _by_direction(config: CheckpointConfig) -> dict[str, dict[str, Any]]:
    """The metrics of each direction; what is not told by direction counts for the only one."""
    named = {key: dict(values) for key, values in config.metrics.items() if isinstance(values, Mapping)}
    rest = {key: value for key, value in config.metrics.items() if not isinstance(value, Mapping)}
    return {**named, **({"": rest} if rest else {})}


def _metrics(config: CheckpointConfig) -> str:
    by_direction = _by_direction(config)
    names = list(dict.fromkeys(name for values in by_direction.values() for name in values))
    if not names:
        return ""

    def cell(value: Any) -> str:
        text = f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)
        return text.replace("|", "\\|").replace("\n", " ")

    def title(column: str) -> str:
        return f"{column} ({' → '.join(config.ends(column))})" if column in ("a2b", "b2a") else column or "value"

    lines = [
        "| metric | " + " | ".join(cell(title(column)) for column in by_direction) + " |",
        "| --- |" + " ---: |" * len(by_direction),
    ]
    lines += [
        f"| {cell(name)} | " + " | ".join(cell(values.get(name)) for values in by_direction.values()) + " |"
        for name in names
    ]
    return "\n".join(lines)


def _size(config: CheckpointConfig, folder: Path | None) -> str:
    lines = []
    for direction, generator in config.generators.items():
        text = f"- {direction}: {generator.describe()}, {parameter_count(generator) / 1e6:.2f} million parameters"
        weights = folder / f"{direction}.safetensors" if folder else None
        if weights is not None and weights.is_file():
            text += f", {weights.stat().st_size / 1e6:.1f} MB on disk"
        lines.append(text)
    return "\n".join(lines)


def _citation(config: CheckpointConfig) -> str:
    model = model_of(config)
    return f"```bibtex\n{model.citation}\n```" if model else ""


def _list(rows: Mapping[str, str]) -> str:
    return "\n".join(f"- {label}: {value}" for label, value in rows.items() if value)


def _duration(seconds: float) -> str:
    """3725 → 1 h 2 min."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
