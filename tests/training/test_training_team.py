"""Processes that train together do what one process would do with all their examples."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_run import STEMS, tiny_config, validated, write_song

from streamsep.config.training import SvdPenaltyConfig
from streamsep.errors import TrainingError
from streamsep.files import find_tracks
from streamsep.training import optimisation
from streamsep.training.agreement import check_agreement
from streamsep.training.batches import Batches
from streamsep.training.checkpoint import read_checkpoint
from streamsep.training.loop import TrainingRun
from streamsep.training.optimisation import Optimisation
from streamsep.training.team import Team


def launch(script: str, *arguments: Path | str) -> subprocess.CompletedProcess[str]:
    """Run a script of this folder in two processes."""
    here = Path(__file__).parent
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return subprocess.run(
        [*torchrun, here / script, *arguments],
        env={**os.environ, "PYTHONPATH": str(here.parent.parent), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(600)
def test_two_processes_are_as_good_as_one_with_twice_the_batch(tmp_path):
    for seed in range(3):
        write_song(tmp_path / "songs" / f"song-{seed}", seed=seed)
    done = launch("team_run.py", tmp_path / "songs", tmp_path / "team")
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


@pytest.mark.timeout(600)
def test_processes_that_go_on_from_different_steps_say_so_and_end(tmp_path):
    write_song(tmp_path / "songs" / "song")
    config = tiny_config()
    # JSON is YAML, too.
    text = config.model_dump_json(exclude_none=True)
    (tmp_path / "config.yaml").write_text(text)
    # As many examples per step as the two processes will take.
    alone = config.model_copy(update={"steps": 2, "batch_size": 2})
    TrainingRun(alone, tmp_path / "songs", tmp_path / "out-0").run()
    done = launch(
        "scattered_team.py", tmp_path / "config.yaml", tmp_path / "songs", tmp_path / "out"
    )
    said = [line for line in done.stderr.splitlines() if line.startswith("streamsep: ")]
    assert len(said) == 2, done.stderr
    assert len(set(said)) == 1
    assert "differ in the steps done: 2 in process 0, 0 in process 1;" in said[0]
    assert "one OUT, in a folder that all machines share" in said[0]
    assert "exitcode  : 2 " in done.stderr
    assert not list(tmp_path.glob("out-1/*"))


@pytest.mark.timeout(600)
def test_what_batch_normalisation_has_seen_is_the_same_in_all_processes(tmp_path):
    for seed in range(3):
        write_song(tmp_path / "songs" / f"song-{seed}", seed=seed)
    done = launch("team_run.py", tmp_path / "songs", tmp_path / "team", "open_unmix")
    assert done.returncode == 0, done.stderr
    one, other = (torch.load(tmp_path / "team" / f"weights-{rank}.pt") for rank in range(2))
    assert any("running_mean" in name for name in one)
    for name, weight in one.items():
        assert torch.equal(weight, other[name]), name


@pytest.mark.timeout(600)
def test_when_one_process_ends_the_others_say_so_in_one_line(tmp_path):
    write_song(tmp_path / "songs" / "song")
    (tmp_path / "config.yaml").write_text(tiny_config().model_dump_json(exclude_none=True))
    (tmp_path / "out-0").mkdir()
    (tmp_path / "out-0" / "checkpoint.pt").write_bytes(b"junk")
    done = launch(
        "scattered_team.py", tmp_path / "config.yaml", tmp_path / "songs", tmp_path / "out"
    )
    # torchrun itself prints what it knows, but nothing of ours.
    assert "streamsep/" not in done.stderr, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("streamsep: ")]
    assert len(said) == 2, done.stderr
    assert any("checkpoint.pt is damaged" in line for line in said)
    assert any("another process of this run has ended" in line for line in said)


class Second(Team):
    """The second process of a team whose first one has nothing to say."""

    def sum(self, numbers: torch.Tensor) -> torch.Tensor:
        return numbers


def test_every_process_draws_its_own_dropouts(tmp_path):
    write_song(tmp_path / "songs" / "song")
    stems = torch.randn(1, 4, 2, 8_192, generator=torch.Generator().manual_seed(0))
    drawn = []
    for team in (Team(), Team(), Second(size=2, rank=1)):
        run = TrainingRun(tiny_config(), tmp_path / "songs", tmp_path / "out")
        tracks = find_tracks(tmp_path / "songs", STEMS, 44_100, 2)
        batches = Batches(tracks, run.config, sample_rate=44_100, team=team, workers=0)
        run.network.register_forward_pre_hook(lambda *_: drawn.append(torch.rand(8)))
        Optimisation(run.network, run.config, batches, team).step(run.network, stems, 3)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_the_start_of_the_svd_is_that_of_all_processes_and_no_dropout(tmp_path, monkeypatch):
    write_song(tmp_path / "songs" / "song")
    stems = torch.randn(1, 4, 2, 8_192, generator=torch.Generator().manual_seed(0))
    dropouts, starts = [], []

    def penalty(*_: object) -> torch.Tensor:
        starts.append(torch.rand(8))
        return torch.zeros(())

    monkeypatch.setattr(optimisation, "svd_penalty", penalty)
    config = tiny_config(svd_penalty=SvdPenaltyConfig(weight=1e-4))
    tracks = find_tracks(tmp_path / "songs", STEMS, 44_100, 2)
    for team in (Team(), Second(size=2, rank=1)):
        network = TrainingRun(config, tmp_path / "songs", tmp_path / "out").network
        batches = Batches(tracks, config, sample_rate=44_100, team=team, workers=0)
        network.register_forward_pre_hook(lambda *_: dropouts.append(torch.rand(8)))
        Optimisation(network, config, batches, team).step(network, stems, 3)
    assert torch.equal(starts[0], starts[1])
    assert not torch.equal(starts[0], dropouts[0])


class Imagined(Team):
    """A team of two, of which the other process has other numbers."""

    def sum(self, numbers: torch.Tensor) -> torch.Tensor:
        numbers[1] = numbers[0] + torch.arange(numbers.shape[1])
        return numbers


def test_processes_agree_on_everything_or_name_what_they_do_not():
    check_agreement(Team(), {"steps": 3, "songs": "a, b"})
    with pytest.raises(TrainingError, match=r"differ in their songs; give all of them"):
        check_agreement(Imagined(size=2), {"the steps": 3, "their songs": "a, b"})
    with pytest.raises(TrainingError, match=r"differ in the steps: 3 in process 0, 4 in process 1"):
        check_agreement(Imagined(size=2), {"their songs": "a, b", "the steps": 3})
