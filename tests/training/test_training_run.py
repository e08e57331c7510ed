"""A run learns, judges itself, and survives being killed."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_run import Notebook, tiny_config, validated, write_song

from streamsep.config.training import (
    AugmentationConfig,
    AveragesConfig,
    DataConfig,
    LossConfig,
    NetworkChoice,
    OptimiserConfig,
    ScheduleConfig,
    StreamingConfig,
)
from streamsep.errors import CheckpointError, StreamSepError, TrainingError
from streamsep.models.checkpoints import save_checkpoint
from streamsep.training.batches import choose_workers
from streamsep.training.loop import TrainingRun


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    for seed in range(3):
        write_song(folder / f"song-{seed}", seed=seed)
    return folder


def weights_of(run: TrainingRun) -> dict[str, torch.Tensor]:
    """Every number that a run keeps: of the network, of all averages, of the best weights."""
    weights = dict(run.network.state_dict())
    for name, average in run.averages:
        weights |= {f"{name} {key}": value for key, value in average.items()}
    if run.best is not None:
        weights |= {f"best {key}": value for key, value in run.best.weights.items()}
    return weights


def assert_same_weights(one: TrainingRun, other: TrainingRun) -> None:
    ours, theirs = weights_of(one), weights_of(other)
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        assert torch.equal(weight, theirs[name]), name


def test_a_killed_run_goes_on_as_if_nothing_had_happened(songs, tmp_path):
    config = tiny_config(**validated())
    uninterrupted = TrainingRun(config, songs, tmp_path / "whole")
    whole = Notebook()
    uninterrupted.run(whole)
    here = Path(__file__).parent
    killed = subprocess.run(
        [sys.executable, here / "killed_run.py", songs, tmp_path / "killed", "4"],
        env={**os.environ, "PYTHONPATH": str(here.parent.parent)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    resumed = TrainingRun(config, songs, tmp_path / "killed")
    # It died after its fourth step and before saving it; the third was followed by a validation.
    assert resumed.step == 3
    assert resumed.best is not None
    rest = Notebook()
    resumed.run(rest)
    assert rest.steps == whole.steps[3:]
    assert rest.validations == whole.validations[1:]
    assert_same_weights(resumed, uninterrupted)


@pytest.mark.parametrize("changes", [{"betas": (0.5, 0.9)}, {"weight_decay": 0.5}])
def test_what_the_configuration_says_of_the_optimiser_holds_when_a_run_goes_on(
    changes, songs, tmp_path
):
    runs = []
    for index, later in enumerate(({}, changes)):
        out = tmp_path / str(index)
        TrainingRun(tiny_config(steps=2), songs, out).run()
        optimiser = OptimiserConfig(learning_rate=1e-3, gradient_clip=5.0, **later)
        run = TrainingRun(tiny_config(steps=3, optimiser=optimiser), songs, out)
        assert run.step == 2
        run.run()
        runs.append(run)
    name = "freq_encoder.0.conv.weight"
    assert not torch.equal(weights_of(runs[0])[name], weights_of(runs[1])[name])


def test_a_finished_run_has_nothing_left_to_do(songs, tmp_path):
    first = TrainingRun(tiny_config(steps=2), songs, tmp_path)
    first.run()
    again = TrainingRun(tiny_config(steps=2), songs, tmp_path)
    notebook = Notebook()
    again.run(notebook)
    assert notebook.steps == []
    assert_same_weights(first, again)


def test_a_kill_while_saving_leaves_the_checkpoint_before_it(songs, tmp_path):
    TrainingRun(tiny_config(steps=2), songs, tmp_path).run()
    (tmp_path / "checkpoint.part").write_bytes(b"half a checkp")
    assert TrainingRun(tiny_config(), songs, tmp_path).step == 2


def test_the_seed_decides_the_run(songs, tmp_path):
    runs = []
    for index, seed in enumerate((1, 1, 2)):
        run = TrainingRun(tiny_config(seed=seed, steps=2), songs, tmp_path / str(index))
        run.run()
        runs.append(run)
    assert_same_weights(runs[0], runs[1])
    name = "freq_encoder.0.conv.weight"
    assert not torch.equal(weights_of(runs[0])[name], weights_of(runs[2])[name])


def test_workers_change_nothing(songs, tmp_path):
    runs = []
    for workers in (0, 1):
        run = TrainingRun(tiny_config(steps=2), songs, tmp_path / str(workers), workers=workers)
        run.run()
        runs.append(run)
    assert_same_weights(*runs)


@pytest.mark.parametrize(
    ("device", "batch_size", "cores", "processes", "workers"),
    [
        ("cpu", 4, 16, 1, 0),
        ("cuda", 8, 12, 1, 12),
        ("cuda:1", 8, 64, 8, 8),
        ("cuda", 4, 64, 2, 8),
        ("cuda", 4, 4, 8, 1),
    ],
)
def test_a_gpu_does_not_wait_for_examples(device, batch_size, cores, processes, workers):
    place = torch.device(device)
    assert choose_workers(place, batch_size, cores=cores, processes=processes) == workers


def test_watchers_hear_of_every_step_song_and_validation(songs, tmp_path):
    notebook = Notebook()
    config = tiny_config(**validated() | {"steps": 4})
    TrainingRun(config, songs, tmp_path).run(notebook)
    assert [(step.step, step.steps, step.epoch) for step in notebook.steps] == [
        (1, 4, 1),
        (2, 4, 1),
        (3, 4, 1),
        (4, 4, 2),
    ]
    assert all(0 < step.loss < math.inf and step.penalty > 0 for step in notebook.steps)
    # After the first epoch, and once more because the run is over, though the second is not.
    assert [(report.step, report.epoch) for report in notebook.validations] == [(3, 1), (4, 2)]
    names = [scores.weights for scores in notebook.validations[0].scores]
    assert names == ["last", "batch 0.9", "epoch 0.5"]
    assert notebook.songs == [(1, 3), (2, 3), (3, 3)] * 2


def test_epochs_count_examples_not_steps(songs, tmp_path):
    config = tiny_config(steps=None, epochs=3, batch_size=2, data=DataConfig(examples_per_epoch=5))
    # Five examples make two steps of two; the fifth belongs to the next epoch.
    assert TrainingRun(config, songs, tmp_path).steps == 6


def test_the_loss_of_a_single_example_falls(tmp_path):
    # A song just as long as a segment, and no augmentation: every step sees the same example.
    write_song(tmp_path / "songs" / "one", length=8_192)
    config = tiny_config(
        augmentation=AugmentationConfig(),
        steps=30,
        optimiser=OptimiserConfig(learning_rate=5e-3, gradient_clip=5.0),
        schedule=ScheduleConfig(warmup_steps=2, decay_starts=0.9),
    )
    notebook = Notebook()
    TrainingRun(config, tmp_path / "songs", tmp_path / "out").run(notebook)
    assert notebook.steps[-1].loss < 0.7 * notebook.steps[0].loss


def test_the_best_of_all_weights_is_kept(songs, tmp_path):
    notebook = Notebook()
    run = TrainingRun(tiny_config(**validated()), songs, tmp_path)
    run.run(notebook)
    scores = [scores for report in notebook.validations for scores in report.scores]
    assert run.best is not None
    assert run.best.scores.loss == min(each.loss for each in scores)
    kept = run.kept_network()
    assert not kept.training
    for name, weight in kept.state_dict().items():
        assert torch.equal(weight, run.best.weights[name])


def test_without_songs_to_judge_by_the_first_average_is_kept(songs, tmp_path):
    averages = AveragesConfig(per_batch=(0.0,))
    run = TrainingRun(tiny_config(steps=2, averages=averages), songs, tmp_path)
    run.run()
    # Without memory the average is the network itself.
    for name, weight in run.kept_network().state_dict().items():
        torch.testing.assert_close(weight, run.network.state_dict()[name])


def test_a_run_that_practises_streams_learns_on_segments_of_changing_length(songs, tmp_path):
    streaming = StreamingConfig(segment=(4_096, 8_192), hop=(2_048, 2_048), look_ahead=(0, 2_048))
    notebook = Notebook()
    run = TrainingRun(tiny_config(streaming=streaming, steps=3), songs, tmp_path)
    lengths = []
    run.network.register_forward_pre_hook(lambda _, inputs: lengths.append(inputs[0].shape[-1]))
    run.run(notebook)
    assert set(lengths) <= {4_096, 6_144, 8_192}
    assert len(set(lengths)) > 1
    assert all(math.isfinite(step.loss) for step in notebook.steps)


def test_a_run_starts_from_the_weights_of_a_network(songs, tmp_path):
    first = TrainingRun(tiny_config(seed=5), songs, tmp_path / "first")
    path = tmp_path / "first.safetensors"
    save_checkpoint(first.network, path, licence="CC0", training="none")
    config = tiny_config(network=None, start_from=str(path), steps=1)
    second = TrainingRun(config, songs, tmp_path / "second")
    for name, weight in first.network.state_dict().items():
        assert torch.equal(weight, second.network.state_dict()[name])
    second.run()
    assert all(weight.requires_grad for weight in second.network.parameters())
    name = "freq_encoder.0.conv.weight"
    assert not torch.equal(first.network.state_dict()[name], second.network.state_dict()[name])
    # The run holds all that it needs: the network it came from may go.
    path.unlink()
    assert TrainingRun(config, songs, tmp_path / "second").step == 1


def test_a_loss_that_is_no_number_stops_the_run_before_it_does_harm(songs, tmp_path):
    TrainingRun(tiny_config(batch_size=2, steps=2), songs, tmp_path).run()
    before = (tmp_path / "checkpoint.pt").read_bytes()
    run = TrainingRun(tiny_config(batch_size=2), songs, tmp_path)
    weights = {name: weight.clone() for name, weight in run.network.state_dict().items()}

    def break_second(_: object, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        mix = inputs[0].clone()
        mix[1] = math.nan
        return (mix,)

    run.network.register_forward_pre_hook(break_second)
    with pytest.raises(TrainingError, match=r"loss of step 3 is nan \(examples 5\)"):
        run.run()
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    for name, weight in run.network.state_dict().items():
        assert torch.equal(weight, weights[name])


def test_a_gradient_that_is_no_number_stops_the_run_too(songs, tmp_path):
    run = TrainingRun(tiny_config(), songs, tmp_path)
    next(run.network.parameters()).register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(TrainingError, match=r"gradient of step 1 is (nan|inf) \(examples 0\)"):
        run.run()
    assert not run.checkpoint.exists()


@pytest.mark.parametrize("content", [b"", b"junk", None])
def test_a_damaged_checkpoint_is_not_gone_on_from(content, songs, tmp_path):
    path = tmp_path / "checkpoint.pt"
    if content is None:
        torch.save({"step": 3}, path)  # sound, and no checkpoint of ours
    else:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"damaged.*or rename it") as caught:
        TrainingRun(tiny_config(), songs, tmp_path)
    assert "\n" not in str(caught.value)
    assert path.exists()


def test_a_checkpoint_cut_anywhere_is_damaged(songs, tmp_path):
    TrainingRun(tiny_config(steps=1), songs, tmp_path).run()
    path = tmp_path / "checkpoint.pt"
    whole = path.read_bytes()
    for share in (0.01, 0.3, 0.7, 0.999):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(CheckpointError):
            TrainingRun(tiny_config(steps=1), songs, tmp_path)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"network": NetworkChoice(hidden=8, layer_scale=0.1)}, "hidden 4, .* asks for 8"),
        ({"averages": AveragesConfig()}, "averages batch 0.9, epoch 0.5, .* asks for none"),
    ],
)
def test_another_runs_checkpoint_is_not_gone_on_from(changes, complaint, songs, tmp_path):
    TrainingRun(tiny_config(steps=1), songs, tmp_path).run()
    with pytest.raises(CheckpointError, match=complaint):
        TrainingRun(tiny_config(**changes), songs, tmp_path)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"network": NetworkChoice(architecture="hybrid_demcs")}, "did you mean 'hybrid_demucs'"),
        ({"network": NetworkChoice(hiden=4)}, "unknown option 'hiden'.*did you mean 'hidden'"),
        ({"network": NetworkChoice(hidden="wide")}, "option 'hidden'.*got 'wide'.*integer"),
        ({"network": NetworkChoice(hidden=1025)}, "no file .* hidden is 1025, expected 1 to 1024"),
        ({"loss": LossConfig(source_weights={"drum": 1.0})}, "got 'drum', expected .* drums"),
        ({"network": None, "start_from": "startr"}, "did you mean 'starter'"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(changes, complaint, songs, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(StreamSepError, match=complaint):
        TrainingRun(tiny_config(**changes), songs, out)
    assert not out.exists()
