"""A run learns, and survives being killed."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from tiny_run import tiny_config, write_song

from streamsep.config.training import AugmentationConfig
from streamsep.training.loop import TrainingRun, learning_rate_at, waveform_loss


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    for seed in range(2):
        write_song(folder / f"song-{seed}", seed=seed)
    return folder


def weights_of(run: TrainingRun) -> dict[str, torch.Tensor]:
    return {**run.network.state_dict(), **{f"ema {k}": v for k, v in run.average.weights.items()}}


def assert_same_weights(one: TrainingRun, other: TrainingRun) -> None:
    ours, theirs = weights_of(one), weights_of(other)
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        assert torch.equal(weight, theirs[name]), name


def test_a_killed_run_goes_on_as_if_nothing_had_happened(songs, tmp_path):
    uninterrupted = TrainingRun(tiny_config(), songs, tmp_path / "whole")
    uninterrupted.run()
    here = Path(__file__).parent
    killed = subprocess.run(
        [sys.executable, here / "killed_run.py", songs, tmp_path / "killed", "4"],
        env={**os.environ, "PYTHONPATH": str(here.parent.parent)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    resumed = TrainingRun(tiny_config(), songs, tmp_path / "killed")
    # It died after its fourth step and before saving it: the second was the last one saved.
    assert resumed.step == 2
    steps = []
    resumed.run(lambda progress: steps.append(progress.step))
    assert steps == [3, 4, 5, 6]
    assert_same_weights(resumed, uninterrupted)


def test_a_finished_run_has_nothing_left_to_do(songs, tmp_path):
    first = TrainingRun(tiny_config(steps=2), songs, tmp_path)
    first.run()
    again = TrainingRun(tiny_config(steps=2), songs, tmp_path)
    steps = []
    again.run(lambda progress: steps.append(progress.step))
    assert steps == []
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


def test_progress_counts_to_the_last_step(songs, tmp_path):
    seen = []
    TrainingRun(tiny_config(steps=3), songs, tmp_path).run(seen.append)
    assert [(progress.step, progress.steps) for progress in seen] == [(1, 3), (2, 3), (3, 3)]
    assert all(math.isfinite(progress.loss) and progress.loss > 0 for progress in seen)


def test_the_loss_of_a_single_example_falls(tmp_path):
    # A song just as long as a segment, and no augmentation: every step sees the same example.
    write_song(tmp_path / "songs" / "one", length=8_192)
    config = tiny_config(
        augmentation=AugmentationConfig(gain_db=(0.0, 0.0)),
        steps=30,
        learning_rate=5e-3,
        decay_starts=0.9,
    )
    losses = []
    run = TrainingRun(config, tmp_path / "songs", tmp_path / "out")
    run.run(lambda progress: losses.append(progress.loss))
    assert losses[-1] < 0.7 * losses[0]


def test_the_averaged_network_separates(songs, tmp_path):
    run = TrainingRun(tiny_config(steps=2, ema_decay=0.0), songs, tmp_path)
    run.run()
    network = run.averaged_network()
    assert not network.training
    with torch.inference_mode():
        stems = network(torch.randn(1, 2, 8_192))
        expected = run.network.eval()(torch.zeros(1, 2, 8_192))
    assert stems.shape == (1, 4, 2, 8_192)
    # Without memory the average is the network itself.
    with torch.inference_mode():
        torch.testing.assert_close(network(torch.zeros(1, 2, 8_192)), expected)


def test_the_learning_rate_warms_up_stays_and_falls_to_zero():
    config = tiny_config(steps=1_000, warmup_steps=100, decay_starts=0.5, learning_rate=0.01)
    rates = [learning_rate_at(step, config) for step in range(1_001)]
    assert rates[0] == pytest.approx(0.0001)
    assert rates[49] == pytest.approx(0.005)
    assert rates[99:501] == pytest.approx([0.01] * 402)
    assert rates[750] == pytest.approx(0.005)
    assert rates[1_000] == pytest.approx(0.0, abs=1e-12)
    assert all(later < earlier for earlier, later in pairwise(rates[500:]))


def test_the_loss_is_relative_to_the_mixtures_level():
    stems = torch.randn(2, 4, 2, 100)
    estimate = stems + 0.3
    deviation = torch.tensor([1.0, 1.0]).view(2, 1, 1, 1)
    assert float(waveform_loss(estimate, stems, deviation)) == pytest.approx(0.3, rel=1e-5)
    assert float(waveform_loss(estimate, stems, 2 * deviation)) == pytest.approx(0.15, rel=1e-5)
    assert float(waveform_loss(stems, stems, deviation)) == 0.0
