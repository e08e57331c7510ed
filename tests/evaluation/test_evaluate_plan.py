"""A whole evaluation from Python, without a command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from evaluation_songs import LIVE, Diary, songs_in, write_song
from offline.material import STEMS, fake_model, tiny_model

from streamsep.engine import OverlapConfig
from streamsep.engine.separator import can_follow
from streamsep.errors import ConfigError, OutputError
from streamsep.evaluation.export import write_report
from streamsep.evaluation.methods import Offline
from streamsep.evaluation.plan import EvaluationPlan
from streamsep.evaluation.summary import ALL, NSDR
from streamsep.evaluation.sweep import Grid
from streamsep.models import load_model
from streamsep.models.checkpoints import save_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.models import LoadedModel

OFFLINE = Offline(OverlapConfig(segment=8192))
SWEEP = Grid((2048,), (0, 2048), (8192,)).methods(2048)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for seed in range(2):
        write_song(tmp_path / "data" / f"song-{seed}", seed=seed)
    return tmp_path / "data"


@pytest.fixture
def model(tmp_path: Path) -> LoadedModel:
    path = tmp_path / "runs" / "tiny.safetensors"
    path.parent.mkdir()
    save_checkpoint(tiny_model().separator, path, licence="CC0", training="none")
    return load_model(path)


def test_an_evaluation_needs_no_command_line(
    data: Path, model: LoadedModel, tmp_path: Path
) -> None:
    plan = EvaluationPlan(
        model=model,
        data=data,
        songs=songs_in(data),
        offline=OFFLINE,
        streams=[LIVE],
        sweep=SWEEP,
        bss=False,
    )
    report = plan.carry_out(tmp_path / "out")
    assert [method.name for method in report.methods] == ["offline", "short", "mixture", "silence"]
    assert report.summary.sources == STEMS
    assert report.summary.song_count == 2
    assert report.summary.figure(NSDR, "silence", ALL) == 0.0
    assert [point.tiling for point in report.sweep] == [live.tiling for live in SWEEP]
    assert len(write_report(report, tmp_path / "out")) == 6

    diary = Diary()
    assert plan.carry_out(tmp_path / "out", observer=diary) == report, "found, not measured"
    assert len(diary.outcomes) == len(plan.tasks) == 2 * 6


def test_the_tilings_of_a_sweep_are_judged_by_nsdr_alone(data: Path, model: LoadedModel) -> None:
    plan = EvaluationPlan(
        model=model, data=data, songs=songs_in(data), offline=OFFLINE, sweep=SWEEP
    )
    assert {task.method.name for task in plan.tasks if not task.bss} == {s.name for s in SWEEP}


def test_results_belong_into_a_folder_for_the_network_and_the_songs(
    data: Path, model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data)
    here = type(data)()
    plan = EvaluationPlan(model=model, data=here, songs=songs_in(data), offline=OFFLINE)
    assert str(plan.folder) == f"evaluated/runs-tiny-{plan.weights_sha256[:8]}/data"


def test_two_methods_of_one_name_are_refused(data: Path) -> None:
    with pytest.raises(ConfigError, match="'short' is there twice; rename"):
        EvaluationPlan(
            model=fake_model(),
            data=data,
            songs=songs_in(data),
            offline=OFFLINE,
            streams=[LIVE, LIVE],
        )


def test_a_folder_that_cannot_be_written_is_found_out_before_the_work(
    data: Path, model: LoadedModel, tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("not a folder")
    plan = EvaluationPlan(model=model, data=data, songs=songs_in(data), offline=OFFLINE)
    diary = Diary()
    with pytest.raises(OutputError, match="cannot write"):
        plan.carry_out(tmp_path / "out", observer=diary)
    assert diary.outcomes == []


def test_a_network_says_whether_it_keeps_anything(model: LoadedModel) -> None:
    assert can_follow(model)
