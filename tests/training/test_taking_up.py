"""A run that is taken up again goes on as it began, or says why it does not."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from tiny_run import tiny_config, validated, write_song

from streamsep.config.training import DataConfig, LossConfig, ValidationConfig
from streamsep.errors import CheckpointError
from streamsep.models.checkpoints import save_checkpoint
from streamsep.training.beginning import is_same_network, where_from
from streamsep.training.checkpoint import read_checkpoint, write_checkpoint
from streamsep.training.loop import TrainingRun
from streamsep.training.team import Team

if TYPE_CHECKING:
    from pathlib import Path

EVERYTHING_HELD_OUT_BUT_ONE = 0.9


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    for seed in range(3):
        write_song(tmp_path / "songs" / f"song-{seed}", seed=seed)
    return tmp_path / "songs"


def begun(songs: Path, out: Path, **changes: object) -> None:
    """A run of three steps, with a validation at the end."""
    TrainingRun(tiny_config(**validated() | {"steps": 3} | changes), songs, out).run()


def without_what_older_versions_did_not_keep(path: Path) -> None:
    """Make a checkpoint what it was before it said how a run began and how it was judged."""
    content = torch.load(path, weights_only=True)
    del content["beginning"]
    del content["best"]["judged_by"]
    torch.save(content, path)


@pytest.mark.parametrize(
    "change",
    [
        {"validation": ValidationConfig(most_s=0.1)},
        {"validation": ValidationConfig(metric="nsdr")},
        {"validation": ValidationConfig(latency_preset="studio")},
        {"validation": ValidationConfig(segment=4_096)},
        {"segment": 10_240},
        {"loss": LossConfig(mixture=0.5)},
    ],
)
def test_the_best_weights_go_when_the_judgement_is_another(
    change: dict[str, object],
    songs: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun(songs, tmp_path / "out")
    run = TrainingRun(tiny_config(**validated() | change), songs, tmp_path / "out")
    assert run.step == 3
    assert run.best is None
    said = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(said) == 1
    assert "judged by other songs or settings" in said[0].getMessage()


def test_the_best_weights_go_when_other_songs_are_held_out(songs: Path, tmp_path: Path) -> None:
    begun(songs, tmp_path / "out")
    data = DataConfig(examples_per_epoch=3, validation_share=EVERYTHING_HELD_OUT_BUT_ONE)
    run = TrainingRun(tiny_config(**validated() | {"data": data}), songs, tmp_path / "out")
    assert run.best is None


def test_better_weights_are_kept_after_the_songs_to_judge_by_have_become_harder(
    songs: Path, tmp_path: Path
) -> None:
    begun(songs, tmp_path / "out")
    path = tmp_path / "out" / "checkpoint.pt"
    found = read_checkpoint(path)
    assert found is not None
    assert found.best is not None
    easy = replace(found.best.scores, loss=0.0)
    write_checkpoint(replace(found, best=replace(found.best, scores=easy)), path)
    harder = tiny_config(**validated() | {"validation": ValidationConfig(most_s=0.1)})
    run = TrainingRun(harder, songs, tmp_path / "out")
    run.run()
    assert run.best is not None
    assert run.best.step == 6


def test_a_finished_run_keeps_its_best_weights_whatever_is_held_out_now(
    songs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    begun(songs, tmp_path / "out")
    harder = validated() | {"steps": 3, "validation": ValidationConfig(most_s=0.1)}
    assert TrainingRun(tiny_config(**harder), songs, tmp_path / "out").best is not None
    assert not caplog.records


def test_the_best_weights_stay_when_they_are_judged_as_before(
    songs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    begun(songs, tmp_path / "out")
    rarer = ValidationConfig(every=2)
    run = TrainingRun(tiny_config(**validated() | {"validation": rarer}), songs, tmp_path / "out")
    assert run.best is not None
    assert run.best.step == 3
    assert not caplog.records


def test_the_best_of_an_older_version_go_when_they_are_judged_by_the_nsdr(
    songs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    by_nsdr = {"validation": ValidationConfig(metric="nsdr")}
    begun(songs, tmp_path / "out", **by_nsdr)
    without_what_older_versions_did_not_keep(tmp_path / "out" / "checkpoint.pt")
    run = TrainingRun(tiny_config(**validated() | by_nsdr), songs, tmp_path / "out")
    assert run.best is None
    assert [record.levelno for record in caplog.records].count(logging.WARNING) == 1


def test_a_checkpoint_of_an_older_version_is_gone_on_from(songs: Path, tmp_path: Path) -> None:
    begun(songs, tmp_path / "out")
    path = tmp_path / "out" / "checkpoint.pt"
    without_what_older_versions_did_not_keep(path)
    run = TrainingRun(tiny_config(**validated()), songs, tmp_path / "out")
    assert (run.step, run.best is None) == (3, False)
    run.run()
    found = read_checkpoint(path)
    assert found is not None
    assert found.beginning == run.beginning


@pytest.mark.parametrize(("batch_size", "processes"), [(1, 1), (4, 1), (2, 2)])
def test_another_number_of_examples_per_step_is_refused(
    batch_size: int, processes: int, songs: Path, tmp_path: Path
) -> None:
    begun(songs, tmp_path / "out", batch_size=2)
    config = tiny_config(**validated() | {"batch_size": batch_size})
    complaint = rf"2 examples per step, got {batch_size * processes}; choose batch_size .* is 2 "
    with pytest.raises(CheckpointError, match=complaint) as caught:
        TrainingRun(config, songs, tmp_path / "out", team=Team(size=processes))
    assert "\n" not in str(caught.value)


def test_more_processes_with_fewer_examples_each_go_on_with_the_same_ones(
    songs: Path, tmp_path: Path
) -> None:
    begun(songs, tmp_path / "out", batch_size=2)
    config = tiny_config(**validated() | {"batch_size": 1})
    assert TrainingRun(config, songs, tmp_path / "out", team=Team(size=2)).step == 3


@pytest.mark.parametrize("length", [{"steps": 3}, {"steps": None, "epochs": 1}])
@pytest.mark.parametrize("processes", [1, 3])
def test_a_finished_run_is_done_on_any_number_of_processes(
    processes: int, length: dict[str, object], songs: Path, tmp_path: Path
) -> None:
    data = DataConfig(examples_per_epoch=6, validation_share=0.3)
    changes = validated() | length | {"data": data}
    begun(songs, tmp_path / "out", **changes | {"batch_size": 2})
    team = Team(size=processes)
    run = TrainingRun(tiny_config(**changes), songs, tmp_path / "out", team=team)
    assert (run.step, run.steps) == (3, 3)
    assert run.best is not None


def test_a_run_is_not_finished_because_more_processes_would_have_shorter_epochs(
    songs: Path, tmp_path: Path
) -> None:
    begun(songs, tmp_path / "out")
    epochs = tiny_config(**validated() | {"steps": None, "epochs": 3})
    with pytest.raises(CheckpointError, match="1 examples per step, got 3"):
        TrainingRun(epochs, songs, tmp_path / "out", team=Team(size=3))


def test_a_relative_path_is_that_of_where_the_run_began(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = TrainingRun(tiny_config(), songs, tmp_path / "first").network
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        save_checkpoint(network, tmp_path / name / "a.st", licence="CC0", training="none")

    def run(start_from: str) -> TrainingRun:
        config = tiny_config(steps=1, network=None, start_from=start_from)
        return TrainingRun(config, songs, tmp_path / "out")

    monkeypatch.chdir(tmp_path / "here")
    run("a.st").run()
    assert run("a.st").step == 1
    monkeypatch.chdir(tmp_path / "there")
    assert run("../here/a.st").step == 1
    with pytest.raises(CheckpointError, match=r"began with .*here.*there"):
        run("a.st")


def test_a_name_of_the_registry_stays_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "starter").touch()
    monkeypatch.chdir(tmp_path)
    assert where_from("starter") == "starter"
    assert is_same_network("starter", "starter")
    assert not is_same_network("starter", str(tmp_path / "starter"))


def test_a_run_that_began_with_another_network_is_not_gone_on_from(
    songs: Path, tmp_path: Path
) -> None:
    network = TrainingRun(tiny_config(), songs, tmp_path / "first").network
    for name in ("a", "b"):
        save_checkpoint(network, tmp_path / f"{name}.safetensors", licence="CC0", training="none")

    def run(start_from: str | None) -> TrainingRun:
        changes = {"network": None, "start_from": start_from} if start_from else {}
        return TrainingRun(tiny_config(steps=1, **changes), songs, tmp_path / "out")

    run(f"{tmp_path}/a.safetensors").run()
    with pytest.raises(
        CheckpointError, match=r"began with .*a\.safetensors.*b\.safetensors.*--out"
    ):
        run(f"{tmp_path}/b.safetensors")
    with pytest.raises(CheckpointError, match=r"began with .*a\.safetensors.*random weights"):
        run(None)
    # The same file by another path.
    assert run(f"{tmp_path}/out/../a.safetensors").step == 1
