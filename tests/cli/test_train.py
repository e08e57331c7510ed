"""`streamsep train`, with a network of a few hundred weights on one second of noise."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import torch

from cli.commands import run, streamsep
from streamsep.cli.train import train
from streamsep.config.training import load_training_config
from streamsep.errors import CheckpointError, ConfigError, InputError, OutputError, TrainingError
from streamsep.models import checkpoints
from streamsep.models.checkpoints import load_checkpoint, read_header, save_checkpoint
from streamsep.training import alone, loop
from streamsep.training.alone import alone_in
from streamsep.training.loop import TrainingRun

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STEMS = ("drums", "bass", "other", "vocals")
CONFIG = """
network: {architecture: hybrid_demucs, hidden: 4}
data: {examples_per_epoch: 1}
augmentation: {remix: 0.5}
segment: 8192
batch_size: 1
epochs: 2
checkpoint_every: 1
precision: float32
licence: CC0
note: a tiny one
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        song = tmp_path / "data" / name
        song.mkdir(parents=True)
        for stem in STEMS:
            soundfile.write(song / f"{stem}.wav", rng.normal(0, 0.1, (22050, 2)), 44100)
    return tmp_path / "data"


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_ends_with_a_network_that_says_where_it_is_from(
    config: Path, data: Path, tmp_path: Path
) -> None:
    result = run(train, config, "--data", data, "--out", tmp_path / "run", "--device", "cpu")
    assert result.exit_code == 0, result.exception
    path = tmp_path / "run" / "network.safetensors"
    assert str(path) in result.output
    header = read_header(path)
    assert header is not None
    assert header.licence == "CC0"
    assert header.training == "a tiny one ('tiny', 2 steps from random weights, songs of 'data')"
    assert load_checkpoint(path).sources == STEMS
    assert [row["step"] for row in table(tmp_path / "run" / "steps.csv")] == ["1", "2"]


def test_held_out_songs_choose_the_weights(config: Path, data: Path, tmp_path: Path) -> None:
    text = CONFIG.replace("examples_per_epoch: 1", "examples_per_epoch: 1, validation_share: 0.5")
    config.write_text(f"{text}averages: {{per_batch: [0.9]}}\n")
    result = run(train, config, "--data", data, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.exception
    assert "epoch 1, step 1: nSDR" in result.stderr
    rows = table(tmp_path / "run" / "validation.csv")
    assert [(row["step"], row["weights"]) for row in rows] == [
        ("1", "last"),
        ("1", "batch 0.9"),
        ("2", "last"),
        ("2", "batch 0.9"),
    ]
    best = min(rows, key=lambda row: float(row["loss"]))
    assert f"the best weights of 2 steps ({best['weights']}, step {best['step']}" in result.output


def test_the_same_command_continues_a_run(config: Path, data: Path, tmp_path: Path) -> None:
    options = ["--data", data, "--out", tmp_path / "run"]
    assert run(train, config, *options, "--steps", 1).exit_code == 0
    assert run(train, config, *options, "--epochs", 3).exit_code == 0
    checkpoint = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert checkpoint["step"] == 3


def test_workers_are_for_gpus_unless_asked_for(
    config: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def stop(self: TrainingRun, *_: object, workers: int, **__: object) -> None:
        seen.append(workers)
        raise TrainingError("enough is known")

    monkeypatch.setattr(TrainingRun, "__init__", stop)
    options = [config, "--data", data, "--out", tmp_path / "run", "--device", "cpu"]
    run(train, *options)
    run(train, *options, "--workers", 3)
    assert seen == [0, 3]


def test_a_run_starts_from_a_network(config: Path, data: Path, tmp_path: Path) -> None:
    options = ["--data", data, "--steps", 1]
    assert run(train, config, *options, "--out", tmp_path / "one").exit_code == 0
    first = tmp_path / "one" / "network.safetensors"
    result = run(train, config, *options, "--out", tmp_path / "two", "--start-from", first)
    assert result.exit_code == 0, result.exception
    second = load_checkpoint(tmp_path / "two" / "network.safetensors").state_dict()
    for name, weight in load_checkpoint(first).state_dict().items():
        torch.testing.assert_close(second[name], weight, rtol=0.05, atol=1e-2)


def test_the_terms_of_the_network_that_a_run_starts_from_remain(
    config: Path, data: Path, tmp_path: Path
) -> None:
    options = ["--data", data, "--steps", 1]
    start = tmp_path / "parent.safetensors"
    network = TrainingRun(load_training_config(config), data, tmp_path / "one").network
    save_checkpoint(network, start, licence="CC BY-NC 4.0", training="on noise")
    command = [config, *options, "--out", tmp_path / "two", "--start-from", start]
    assert run(train, *command).exit_code == 0
    start.unlink()  # a run that goes on remembers
    assert run(train, *command).exit_code == 0
    header = read_header(tmp_path / "two" / "network.safetensors")
    assert header is not None
    assert header.licence == "CC BY-NC 4.0 (of 'parent', which it derives from); CC0"
    assert header.training == "'tiny', 1 steps from 'parent', songs of 'data'"


def test_a_configuration_that_names_its_start_has_its_own_licence_and_note(
    config: Path, data: Path, tmp_path: Path
) -> None:
    start = tmp_path / "parent.safetensors"
    network = TrainingRun(load_training_config(config), data, tmp_path / "one").network
    save_checkpoint(network, start, licence="MIT", training="on noise")
    named = CONFIG.replace(
        "network: {architecture: hybrid_demucs, hidden: 4}", f"start_from: {start}"
    )
    config.write_text(named)
    result = run(train, config, "--data", data, "--steps", 1, "--out", tmp_path / "two")
    assert result.exit_code == 0, result.exception
    header = read_header(tmp_path / "two" / "network.safetensors")
    assert header is not None
    assert header.licence == "CC0"
    assert header.training == "a tiny one ('tiny', 1 steps from 'parent', songs of 'data')"


@pytest.mark.parametrize("name", ["starter", "streaming"])
def test_no_configuration_of_ours_says_which_songs_it_was_given(name: str) -> None:
    note = load_training_config(name).note
    assert "synthetic" not in note
    assert "songs" not in note


def test_the_folder_is_kept_to_a_run_from_before_it_is_read_until_the_network_is_written(
    config: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    taken = []

    def watched(function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(alone, "_PATIENCE_S", 0.0)
                with pytest.raises(ConfigError, match="another run is at work"), alone_in(out):
                    pass
            taken.append(function.__name__)
            return function(*arguments, **options)

        return call

    monkeypatch.setattr(loop, "read_checkpoint", watched(loop.read_checkpoint))
    monkeypatch.setattr(checkpoints, "save_checkpoint", watched(checkpoints.save_checkpoint))
    result = run(train, config, "--data", data, "--steps", 1, "--out", out)
    assert result.exit_code == 0, result.exception
    assert taken == ["read_checkpoint", "save_checkpoint"]


def test_without_tensorboard_one_line_says_so(
    config: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    result = run(train, config, "--data", data, "--out", tmp_path / "run", "--steps", 1)
    assert result.exit_code == 0, result.exception
    lines = [line for line in result.stderr.splitlines() if "TensorBoard" in line]
    assert len(lines) == 1
    assert lines[0].startswith("note: ")


def test_ctrl_c_says_how_to_go_on(
    config: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: TrainingRun, *_: object) -> None:
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
        ([config, "--data", data, "--out", out, "--steps", 1, "--epochs", 1], ConfigError),
    ):
        assert isinstance(run(train, *arguments).exception, kind)
    assert not out.exists()


def test_every_process_takes_its_own_gpu(config: Path, data: Path, tmp_path: Path) -> None:
    # No machine has so many: which one was taken is in the refusal.
    options = [config, "--data", data, "--out", tmp_path / "run", "--device", "cuda"]
    error = run(train, *options, LOCAL_RANK="63", LOCAL_WORLD_SIZE="64").exception
    assert isinstance(error, ConfigError)
    assert "device 'cuda:63' cannot be used here" in str(error)


def test_processes_do_not_share_a_gpu(config: Path, data: Path, tmp_path: Path) -> None:
    options = [config, "--data", data, "--out", tmp_path / "run", "--device", "cuda:63"]
    error = run(train, *options, LOCAL_RANK="1", LOCAL_WORLD_SIZE="2").exception
    assert isinstance(error, ConfigError)
    assert "for 2 processes, which would all share it; take --device cuda" in str(error)
    # One process may take any that is there.
    error = run(train, *options).exception
    assert isinstance(error, ConfigError)
    assert "device 'cuda:63' cannot be used here" in str(error)


@pytest.mark.parametrize("when", ["__init__", "run"])
def test_too_little_memory_is_one_line(
    when: str, config: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhaust(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    monkeypatch.setattr(TrainingRun, when, exhaust)
    error = run(train, config, "--data", data, "--out", tmp_path / "run").exception
    assert isinstance(error, TrainingError)
    assert "does not hold the network and a batch of 1 examples of 8192 samples" in str(error)


def test_too_little_memory_to_go_on_advises_nothing_that_is_refused(
    config: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [config, "--data", data, "--out", tmp_path / "run"]
    assert run(train, *options, "--steps", 1).exit_code == 0

    def exhaust(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    monkeypatch.setattr(TrainingRun, "run", exhaust)
    error = str(run(train, *options, "--steps", 2).exception)
    assert error.endswith(
        "take a smaller segment, or more processes with a smaller batch_size each"
    )


def test_a_network_of_a_relative_path_is_published_without_its_folders(
    config: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = TrainingRun(load_training_config(config), data, tmp_path / "one").network
    save_checkpoint(network, tmp_path / "parent.safetensors", licence="MIT", training="on noise")
    monkeypatch.chdir(tmp_path)
    options = ["--data", data, "--steps", 1, "--out", tmp_path / "two"]
    result = run(train, config, *options, "--start-from", "parent.safetensors")
    assert result.exit_code == 0, result.exception
    header = read_header(tmp_path / "two" / "network.safetensors")
    assert header is not None
    assert header.training == "'tiny', 1 steps from 'parent', songs of 'data'"
    assert str(tmp_path) not in header.licence


def test_a_mistake_is_one_line_and_code_2(config: Path, tmp_path: Path) -> None:
    done = streamsep("train", config, "--data", tmp_path / "none", "--out", tmp_path / "run")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("streamsep: ")


def test_configurations_are_found_by_name() -> None:
    assert load_training_config("starter").segment % 2048 == 0
    with pytest.raises(ConfigError, match="did you mean 'starter'"):
        load_training_config("startr")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("scale: [0.25, .inf]", "key 'augmentation.scale.1': got inf, expected a finite number"),
        ("shift_s: .inf", "key 'augmentation.shift_s': got inf, expected a finite number"),
        ("shift_s: 1.0e+300", "key 'augmentation.shift_s': got 1e.300, expected less than"),
        ("gain_db: [0.0, 1.0e+6]", "key 'augmentation.gain_db.1': got 1000000.0, expected less"),
        ("repitch_semitones: 100000", "got 100000, expected less than or equal to 24"),
    ],
)
def test_no_change_reaches_beyond_what_can_be_computed(
    change: str, complaint: str, config: Path
) -> None:
    config.write_text(CONFIG.replace("remix: 0.5", change))
    with pytest.raises(ConfigError, match=complaint):
        load_training_config(config)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("stpes: 3", "unknown key 'stpes'.*did you mean 'steps'"),
        ("steps: 3", "expected either 'epochs' or 'steps'"),
        ("start_from: starter", "expected either 'network'.* or 'start_from'"),
        ("optimiser: {betas: [0.9]}", "betas"),
        ("optimiser: {learning_rate: fast}", "key 'optimiser.learning_rate'"),
        ("loss: {kind: l3}", "key 'loss.kind"),
        ("seed: '3'", "key 'seed'"),
        ("seed: 18446744073709551616", "key 'seed': got 18446744073709551616, expected less than"),
        ("optimiser: {betas: [0.9, 1.0]}", "key 'optimiser.betas.1': got 1.0, expected less than"),
        ("optimiser: {learning_rate: .inf}", "got inf, expected a finite number"),
        ("validation: {most_s: .inf}", "got inf, expected a finite number"),
        ("svd_penalty: {weight: .nan}", "got nan, expected a finite number"),
    ],
)
def test_a_wrong_configuration_is_explained(line: str, complaint: str, config: Path) -> None:
    config.write_text(f"{CONFIG}{line}\n")
    with pytest.raises(ConfigError, match=complaint):
        load_training_config(config)
