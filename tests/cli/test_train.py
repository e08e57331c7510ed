"""`streamsep train`, with a network of a few hundred weights on one second of noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import torch

from cli.commands import run
from streamsep.cli.train import train
from streamsep.config.training import load_training_config
from streamsep.errors import CheckpointError, ConfigError, InputError, OutputError
from streamsep.models.checkpoints import load_checkpoint, read_header
from streamsep.training.loop import TrainingRun

if TYPE_CHECKING:
    from pathlib import Path

STEMS = ("drums", "bass", "other", "vocals")
CONFIG = """
network: {hidden: 4}
augmentation: {remix: 0.5}
segment: 8192
batch_size: 1
steps: 2
checkpoint_every: 1
precision: float32
licence: CC0
note: trained on noise
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    song = tmp_path / "data" / "song"
    song.mkdir(parents=True)
    for stem in STEMS:
        soundfile.write(song / f"{stem}.wav", rng.normal(0, 0.1, (44100, 2)), 44100)
    return song.parent


def test_a_run_ends_with_a_network_that_says_where_it_is_from(
    config: Path, data: Path, tmp_path: Path
) -> None:
    result = run(train, config, "--data", data, "--out", tmp_path / "run", "--device", "cpu")
    assert result.exit_code == 0, result.exception
    path = tmp_path / "run" / "network.safetensors"
    assert str(path) in result.output
    header = read_header(path)
    assert header is not None
    assert (header.licence, header.training) == ("CC0", "trained on noise")
    assert load_checkpoint(path).sources == STEMS


def test_the_same_command_continues_a_run(config: Path, data: Path, tmp_path: Path) -> None:
    options = ["--data", data, "--out", tmp_path / "run"]
    assert run(train, config, *options, "--steps", 1).exit_code == 0
    assert run(train, config, *options, "--steps", 2).exit_code == 0
    checkpoint = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert checkpoint["step"] == 2


def test_ctrl_c_says_how_to_go_on(
    config: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: TrainingRun, _: object) -> None:
        self.checkpoint.touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainingRun, "run", interrupt)
    result = run(train, config, "--data", data, "--out", tmp_path / "run")
    assert result.exit_code == 130
    assert "stopped at step 0; the same command continues" in result.stderr
    assert not (tmp_path / "run" / "network.safetensors").exists()


def test_a_checkpoint_that_does_not_fit_is_refused(
    config: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    out.mkdir()
    for content in (b"junk", b""):
        (out / "checkpoint.pt").write_bytes(content)
        error = run(train, config, "--data", data, "--out", out).exception
        assert isinstance(error, CheckpointError)
        assert "take another --out" in str(error)


def test_mistakes_are_named_before_anything_is_written(
    config: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    for arguments, kind in (
        ([config, "--data", tmp_path / "none", "--out", out], InputError),
        ([config, "--data", data, "--out", out, "--device", "abacus"], ConfigError),
        ([config, "--data", data, "--out", config], OutputError),
        (["startr", "--data", data, "--out", out], ConfigError),
    ):
        assert isinstance(run(train, *arguments).exception, kind)
    assert not out.exists()


def test_configurations_are_found_by_name() -> None:
    assert load_training_config("starter").segment % 2048 == 0
    with pytest.raises(ConfigError, match="did you mean 'starter'"):
        load_training_config("startr")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("stpes: 3", "unknown key 'stpes'.*did you mean 'steps'"),
        ("betas: [0.9]", "betas"),
        ("seed: '3'", "key 'seed'"),
        ("learning_rate: fast", "key 'learning_rate'"),
    ],
)
def test_a_wrong_configuration_is_explained(line: str, complaint: str, config: Path) -> None:
    config.write_text(f"{CONFIG}{line}\n")
    with pytest.raises(ConfigError, match=complaint):
        load_training_config(config)
