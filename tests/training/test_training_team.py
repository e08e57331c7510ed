"""Processes that train together do what one process would do with all their examples."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_run import tiny_config, validated, write_song

from streamsep.training.checkpoint import read_checkpoint
from streamsep.training.loop import TrainingRun


@pytest.mark.timeout(600)
def test_two_processes_are_as_good_as_one_with_twice_the_batch(tmp_path):
    for seed in range(3):
        write_song(tmp_path / "songs" / f"song-{seed}", seed=seed)
    here = Path(__file__).parent
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*launch, here / "team_run.py", tmp_path / "songs", tmp_path / "team"],
        env={**os.environ, "PYTHONPATH": str(here.parent.parent), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    weights = [torch.load(tmp_path / "team" / f"weights-{rank}.pt") for rank in range(2)]
    alone = TrainingRun(
        tiny_config(**validated() | {"batch_size": 2}), tmp_path / "songs", tmp_path / "alone"
    )
    alone.run()
    for name, weight in alone.network.state_dict().items():
        assert torch.equal(weights[0][name], weights[1][name])
        torch.testing.assert_close(weights[0][name], weight, rtol=1e-3, atol=1e-5)
    # They judged the songs together, and the first one saved.
    team = read_checkpoint(tmp_path / "team" / "checkpoint.pt")
    assert team is not None
    assert team.step == 6
    assert team.best is not None
    assert alone.best is not None
    assert team.best.scores.loss == pytest.approx(alone.best.scores.loss, rel=1e-3)
