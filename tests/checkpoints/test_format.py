"""The checkpoint folder: what is saved comes back, and what is broken says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

from translate.checkpoints import format as checkpoint_format
from translate.checkpoints.folder import check_checkpoint, read_config, weights_file
from translate.checkpoints.format import load_generator, save_checkpoint, write_config
from translate.checkpoints.settings import CheckpointConfig
from translate.errors import UserError
from translate.networks import GeneratorConfig, build_generator, generator_config

SMALL = generator_config(width=4, blocks=1)
SMALL_UNET = generator_config("unet", size=32, width=4, norm="batch", dropout=True)


def make_config(generator: GeneratorConfig = SMALL, **settings: Any) -> CheckpointConfig:
    return CheckpointConfig(
        **{"name": "small", "domains": {"a": "horse", "b": "zebra"}, "generators": {"a2b": generator}, **settings}
    )


def make_generator(config: GeneratorConfig = SMALL, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = build_generator(config.model_copy(update={"init_gain": 0.2}))
        for name, buffer in generator.named_buffers():  # as if it had been trained: the averages are not 0 and 1
            if name.endswith(("running_mean", "running_var")):
                buffer.uniform_(0.5, 1.5)
    return generator


def make_image(seed: int = 1, side: int = 32) -> torch.Tensor:
    return torch.rand((1, 3, side, side), generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return save_checkpoint(tmp_path / "small", make_config(), {"a2b": make_generator()})


# ------------------------------------------------------------------------------------------------------- there and back


@pytest.mark.parametrize("architecture", [SMALL, SMALL_UNET, generator_config(width=4, blocks=1, spectral_norm=True)])
def test_float32_comes_back_exactly(tmp_path: Path, architecture: GeneratorConfig) -> None:
    generator = make_generator(architecture)
    config = make_config(architecture, title="Horse ↔ Zebra", metrics={"a2b": {"fid": 70.5}})
    folder = save_checkpoint(tmp_path / "new" / "small", config, {"a2b": generator})
    loaded = load_generator(folder, "a2b")
    with torch.no_grad():
        torch.testing.assert_close(loaded(make_image()), generator.eval()(make_image()), rtol=0, atol=0)
    assert read_config(folder) == config
    assert check_checkpoint(folder) == config
    assert not loaded.training
    assert not any(parameter.requires_grad or parameter.is_meta for parameter in loaded.parameters())


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 2e-3), (torch.bfloat16, 2e-2)])
def test_half_precision_halves_the_file_and_is_read_as_float32(
    tmp_path: Path, dtype: torch.dtype, tolerance: float
) -> None:
    generator = make_generator(SMALL_UNET)
    folder = save_checkpoint(tmp_path / "small", make_config(SMALL_UNET), {"a2b": generator}, dtype)
    on_disk = safetensors.torch.load_file(weights_file(folder, "a2b"))
    assert {on_disk[name].dtype for name, _ in generator.named_parameters()} == {dtype}
    assert {tensor.dtype for name, tensor in on_disk.items() if "running" in name} == {torch.float32}
    loaded = load_generator(folder, "a2b")
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    with torch.no_grad():
        torch.testing.assert_close(loaded(make_image()), generator.eval()(make_image()), rtol=tolerance, atol=tolerance)


def test_both_directions_are_kept_apart(tmp_path: Path) -> None:
    generators = {"a2b": make_generator(seed=1), "b2a": make_generator(seed=2)}
    folder = save_checkpoint(tmp_path / "two", make_config(generators={"a2b": SMALL, "b2a": SMALL}), generators)
    with torch.no_grad():
        for direction, generator in generators.items():
            torch.testing.assert_close(load_generator(folder, direction)(make_image()), generator(make_image()))


def test_image_statistics_are_those_of_training_on_one_image(tmp_path: Path) -> None:
    architecture = SMALL_UNET.model_copy(update={"dropout": False})
    generator = make_generator(architecture)
    image, running = tmp_path / "image", tmp_path / "running"
    save_checkpoint(image, make_config(architecture, statistics="image"), {"a2b": generator})
    save_checkpoint(running, make_config(architecture, statistics="running"), {"a2b": generator})
    with torch.no_grad():
        as_averaged = generator.eval()(make_image())
        as_in_training = generator.train()(make_image())
        torch.testing.assert_close(load_generator(image, "a2b")(make_image()), as_in_training)
        torch.testing.assert_close(load_generator(running, "a2b")(make_image()), as_averaged)
        together = load_generator(image, "a2b")(torch.cat([make_image(1), make_image(2)]))
        torch.testing.assert_close(together[:1], as_in_training)
    assert (as_averaged - as_in_training).abs().max() > 0.01


def test_loading_and_saving_leave_the_random_numbers_of_a_run_alone(checkpoint: Path) -> None:
    before = torch.get_rng_state()
    generator = load_generator(checkpoint, "a2b")
    save_checkpoint(checkpoint, make_config(), {"a2b": generator})
    assert torch.equal(before, torch.get_rng_state())


def test_what_is_loaded_does_not_change_when_the_file_is_overwritten(checkpoint: Path) -> None:
    generator = load_generator(checkpoint, "a2b")
    before = generator(make_image())
    path = weights_file(checkpoint, "a2b")
    with path.open("r+b") as file:  # in place, as cp and rsync --inplace do
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 1000)
    assert torch.equal(generator(make_image()), before)


def test_config_is_complete_and_readable(checkpoint: Path) -> None:
    text = (checkpoint / "config.json").read_text(encoding="utf-8")
    written = json.loads(text)
    assert set(written["generators"]["a2b"]) == set(type(make_config().generators["a2b"]).model_fields)
    assert set(written) == set(CheckpointConfig.model_fields)
    assert text.count("\n") > 20


def test_the_same_weights_make_the_same_file(tmp_path: Path) -> None:
    folders = [
        save_checkpoint(tmp_path / name, make_config(), {"a2b": make_generator()}) for name in ("one", "two", "three")
    ]
    assert len({weights_file(folder, "a2b").read_bytes() for folder in folders}) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_everybody_may_read_the_weights_who_may_read_the_config(checkpoint: Path) -> None:
    assert weights_file(checkpoint, "a2b").stat().st_mode == (checkpoint / "config.json").stat().st_mode


def test_write_config_keeps_the_weights_and_renews_the_card(checkpoint: Path) -> None:
    weights = weights_file(checkpoint, "a2b").read_bytes()
    config = read_config(checkpoint)
    config.metrics = {"a2b": {"fid": 71.25}}
    write_config(checkpoint, config)
    assert read_config(checkpoint).metrics == {"a2b": {"fid": 71.25}}
    assert "71.25" in (checkpoint / "README.md").read_text(encoding="utf-8")
    assert weights_file(checkpoint, "a2b").read_bytes() == weights
    assert not list(checkpoint.glob(".*"))


# ------------------------------------------------------------------------------------------------------- all or nothing


def test_a_save_replaces_the_whole_folder_and_leaves_nothing_beside_it(checkpoint: Path) -> None:
    (checkpoint / "b2a.safetensors").write_bytes(b"of an earlier time")
    save_checkpoint(checkpoint, make_config(title="New"), {"a2b": make_generator(seed=5)})
    assert sorted(path.name for path in checkpoint.iterdir()) == ["README.md", "a2b.safetensors", "config.json"]
    assert read_config(checkpoint).title == "New"
    assert list(checkpoint.parent.iterdir()) == [checkpoint]


def test_an_interrupted_save_leaves_the_old_checkpoint(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint_format, "_replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(checkpoint, make_config(title="New"), {"a2b": make_generator()})
    assert check_checkpoint(checkpoint).title == ""
    assert list(checkpoint.parent.iterdir()) == [checkpoint]


def test_a_kill_between_write_and_rename_leaves_the_old_checkpoint(checkpoint: Path) -> None:
    script = """
import os, sys
from pathlib import Path
from tests.checkpoints.test_format import make_config, make_generator
from translate.checkpoints import format
format._replace = lambda *_: os._exit(9)
format.save_checkpoint(Path(sys.argv[1]), make_config(title="New"), {"a2b": make_generator()})
"""
    root = Path(__file__).parents[2]
    result = subprocess.run([sys.executable, "-c", script, str(checkpoint)], cwd=root, check=False)
    assert result.returncode == 9
    assert check_checkpoint(checkpoint).title == ""
    load_generator(checkpoint, "a2b")
    assert len(list(checkpoint.parent.glob(".small.*.unfinished"))) == 1
    save_checkpoint(checkpoint, make_config(title="Newer"), {"a2b": make_generator()})
    assert list(checkpoint.parent.iterdir()) == [checkpoint], "the next save clears away what the killed one left"


def test_a_failing_rename_puts_the_old_checkpoint_back(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name.endswith(".unfinished"):
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(UserError, match="Permission denied"):
        save_checkpoint(checkpoint, make_config(title="New"), {"a2b": make_generator()})
    assert check_checkpoint(checkpoint).title == ""
    assert list(checkpoint.parent.iterdir()) == [checkpoint]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"Cannot write the checkpoint .*file"):
        save_checkpoint(tmp_path / "file" / "small", make_config(), {"a2b": make_generator()})


def test_weights_too_large_for_float16_are_refused(tmp_path: Path) -> None:
    generator = make_generator()
    with torch.no_grad():
        next(generator.parameters()).fill_(1e5)
    with pytest.raises(UserError, match=r"too large for float16.*bfloat16"):
        save_checkpoint(tmp_path / "small", make_config(), {"a2b": generator}, torch.float16)
    assert not list(tmp_path.iterdir())
    save_checkpoint(tmp_path / "small", make_config(), {"a2b": generator}, torch.bfloat16)


def test_a_network_that_is_not_what_the_config_says_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not what the config says"):
        save_checkpoint(tmp_path / "small", make_config(), {"a2b": make_generator(SMALL_UNET)})
    with pytest.raises(ValueError, match="a2b"):
        save_checkpoint(tmp_path / "small", make_config(), {"b2a": make_generator()})
    with pytest.raises(ValueError, match="float64"):
        save_checkpoint(tmp_path / "small", make_config(), {"a2b": make_generator()}, torch.float64)
    assert not list(tmp_path.iterdir())


# -------------------------------------------------------------------------------------------------------- broken things


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cut_head(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def scramble(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 40)


@pytest.mark.parametrize("damage", [cut, cut_head, empty, scramble, Path.unlink])
def test_damaged_weights_are_named(checkpoint: Path, damage: Any) -> None:
    damage(weights_file(checkpoint, "a2b"))
    for read in (lambda: load_generator(checkpoint, "a2b"), lambda: check_checkpoint(checkpoint)):
        with pytest.raises(UserError, match=r"a2b\.safetensors is (damaged|missing).* again\.$"):
            read()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"blocks": 2}, r"blocks\.1\.\S+ is missing"),
        ({"blocks": 0}, r"blocks\.0\.\S+ is in the file, but not in the network"),
        ({"width": 8}, r"has the shape \(4, 3, 7, 7\) where \(8, 3, 7, 7\) is needed"),
    ],
)
def test_weights_that_do_not_fit_the_config_say_where(checkpoint: Path, change: dict[str, int], complaint: str) -> None:
    tree = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    tree["generators"]["a2b"] |= change
    (checkpoint / "config.json").write_text(json.dumps(tree), encoding="utf-8")
    with pytest.raises(UserError, match=complaint) as caught:
        load_generator(checkpoint, "a2b")
    assert str(weights_file(checkpoint, "a2b")) in str(caught.value)


def test_a_direction_without_weights_is_named(checkpoint: Path) -> None:
    with pytest.raises(UserError, match="no generator for b2a; it has a2b"):
        load_generator(checkpoint, "b2a")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"format_version": 1, "name"', "not valid JSON"),
        ("", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[1, 2]", "does not belong to a checkpoint"),
        ('{"architectures": ["BertModel"]}', "does not belong to a checkpoint"),
        ('{"format_version": 1, "generators": {"a2b": {}}, "name": "x"}', "domains"),
        ('{"format_version": 1, "generators": {}, "name": "x", "domains": {"a": "A", "b": "B"}}', "at least one"),
    ],
)
def test_a_broken_or_foreign_config_is_named(checkpoint: Path, text: str, complaint: str) -> None:
    (checkpoint / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=complaint) as caught:
        read_config(checkpoint)
    assert str(checkpoint / "config.json") in str(caught.value)


def test_a_newer_format_asks_for_a_newer_version(checkpoint: Path) -> None:
    tree = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    tree |= {"format_version": 99, "something_new": True}
    (checkpoint / "config.json").write_text(json.dumps(tree), encoding="utf-8")
    with pytest.raises(UserError, match=r"format 99.*up to 1.*newer version"):
        load_generator(checkpoint, "a2b")


def test_an_unknown_setting_is_named(checkpoint: Path) -> None:
    tree = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    tree["generators"]["a2b"]["wings"] = 2
    (checkpoint / "config.json").write_text(json.dumps(tree), encoding="utf-8")
    with pytest.raises(UserError, match=r"generators\.a2b\.wings: no such setting"):
        read_config(checkpoint)


def test_what_is_no_checkpoint_folder_says_why(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no config\.json"):
        read_config(tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        read_config(tmp_path / "absent")
