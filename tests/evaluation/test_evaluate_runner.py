"""Songs times methods: measured once, kept at once, and whatever fails, fails alone."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest
from evaluation_songs import LIVE, OFFLINE, Diary, killed, songs_in, write_song
from offline.material import fake_model, listing, noise, tiny_model, write

from streamsep.engine import OverlapConfig
from streamsep.errors import ConfigError, InputError, OutputError
from streamsep.evaluation import workers
from streamsep.evaluation.methods import MIXTURE, SILENCE, Offline
from streamsep.evaluation.records import Records, Task, sha256_of
from streamsep.evaluation.runner import evaluate
from streamsep.models import load_model
from streamsep.models.checkpoints import save_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.evaluation.methods import Method
    from streamsep.evaluation.runner import Outcome
    from streamsep.evaluation.scores import SongScores
    from streamsep.evaluation.songs import Song


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for seed in range(2):
        write_song(tmp_path / "data" / f"song-{seed}", seed=seed)
    return tmp_path / "data"


def test_the_checksum_of_a_bag_is_that_of_all_its_files(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("bag.yaml", "one", "two")]
    for file in files:
        file.write_text(file.name)
    before = sha256_of(*files)
    assert sha256_of(files[0]) == hashlib.sha256(b"bag.yaml").hexdigest() != before
    files[2].write_text("retrained")
    assert sha256_of(*files) != before


def tasks_of(data: Path, *methods: Method, bss: bool = False) -> list[Task]:
    return [Task(song, method, bss) for song in songs_in(data) for method in methods]


def records_of(tmp_path: Path, weights: str = "abc") -> Records:
    return Records(tmp_path / "out", weights)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was really measured, not found."""
    seen: list[tuple[str, str]] = []
    real = workers.score_song

    def spy(song, method, *args, **options):
        seen.append((song.name, method.name))
        return real(song, method, *args, **options)

    monkeypatch.setattr(workers, "score_song", spy)
    return seen


def run(data: Path, tmp_path: Path, *methods: Method, weights: str = "abc") -> list[Outcome]:
    tasks = tasks_of(data, *methods)
    return evaluate(tasks, fake_model(), records_of(tmp_path, weights), observer=Diary())


def test_nothing_is_measured_twice(data: Path, tmp_path: Path, judged: list[object]) -> None:
    first = run(data, tmp_path, OFFLINE, LIVE, MIXTURE)
    assert len(judged) == 6
    judged.clear()
    assert run(data, tmp_path, OFFLINE, LIVE, MIXTURE) == first
    assert judged == []
    run(data, tmp_path, OFFLINE, LIVE, SILENCE)
    assert judged == [("song-0", "silence"), ("song-1", "silence")]


def test_what_the_scores_depend_on_is_measured_anew(
    data: Path, tmp_path: Path, judged: list[tuple[str, str]]
) -> None:
    run(data, tmp_path, OFFLINE, MIXTURE)
    judged.clear()
    run(data, tmp_path, OFFLINE, MIXTURE, weights="other")
    assert judged == [("song-0", "offline"), ("song-1", "offline")], "a mixture has no weights"
    judged.clear()
    run(data, tmp_path, replace(OFFLINE, shifts=1), MIXTURE)
    run(data, tmp_path, Offline(OverlapConfig(segment=8192)))
    assert [method for _, method in judged] == ["offline"] * 4
    judged.clear()
    write(data / "song-1" / "bass.wav", noise(2, 30_000, seed=77))
    run(data, tmp_path, OFFLINE, MIXTURE)
    assert judged == [("song-1", "offline"), ("song-1", "mixture")]


def test_each_song_is_kept_as_soon_as_it_is_done(
    data: Path, tmp_path: Path, judged: list[object]
) -> None:
    class Impatient(Diary):
        def ended(self, outcome: Outcome) -> None:
            super().ended(outcome)
            if len(self.outcomes) == 3:
                raise KeyboardInterrupt

    tasks = tasks_of(data, OFFLINE, LIVE)
    with pytest.raises(KeyboardInterrupt):
        evaluate(tasks, fake_model(), records_of(tmp_path), observer=Impatient())
    kept = listing(tmp_path / "out")
    assert [name.rpartition("-")[0] for name in kept] == [
        "songs/song-0/offline", "songs/song-0/short", "songs/song-1/offline"
    ]  # fmt: skip
    judged.clear()
    run(data, tmp_path, OFFLINE, LIVE)
    assert judged == [("song-1", "short")]


@pytest.mark.parametrize("content", [b"", b"{", b'{"song": 1}', b"\xff\xfe"])
def test_a_damaged_record_is_measured_anew(
    content: bytes, data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = run(data, tmp_path, OFFLINE)
    for path in (tmp_path / "out").rglob("*.json"):
        path.write_bytes(content)
    assert run(data, tmp_path, OFFLINE) == first
    assert "measured anew" in caplog.text


def test_a_bad_song_does_not_stop_the_others(data: Path, tmp_path: Path) -> None:
    tasks = tasks_of(data, OFFLINE)
    (data / "song-0" / "drums.wav").write_bytes(b"RIFF")
    diary = Diary()
    outcomes = evaluate(tasks, fake_model(), records_of(tmp_path), observer=diary)
    assert isinstance(outcomes[0].error, InputError)
    assert outcomes[1].scores is not None
    assert diary.outcomes == outcomes
    assert [name.split("/")[1] for name in listing(tmp_path / "out")] == ["song-1"]


def test_scores_are_filed_under_the_song_that_was_read(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = workers.score_song

    def score_and_change(song, *args, **options):
        scores = real(song, *args, **options)
        write(data / song.name / "bass.wav", noise(2, 30_000, seed=77))
        return scores

    with monkeypatch.context() as patch:
        patch.setattr(workers, "score_song", score_and_change)
        of_the_old_songs = run(data, tmp_path, OFFLINE)
    of_the_new_songs = run(data, tmp_path, OFFLINE)
    for old, new in zip(of_the_old_songs, of_the_new_songs, strict=True):
        assert old.scores.stems["bass"] != new.scores.stems["bass"]


def test_a_file_that_is_gone_costs_its_song_alone(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = tasks_of(data, OFFLINE, MIXTURE)
    (data / "song-0" / "drums.wav").unlink()
    diary = Diary()
    outcomes = evaluate(tasks, fake_model(), records_of(tmp_path), observer=diary)
    said = {str(outcome.error) for outcome in outcomes[:2]}
    assert len(said) == 1, "one line for all methods"
    assert "song-0/drums.wav" in said.pop()
    assert all(isinstance(outcome.error, InputError) for outcome in outcomes[:2])
    assert all(outcome.scores is not None for outcome in outcomes[2:])
    assert diary.work == pytest.approx(sum(task.work for task in tasks))


def test_a_file_that_goes_after_it_was_read_costs_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = workers.score_song

    def score_and_remove(song, *args, **options):
        scores = real(song, *args, **options)
        (data / song.name / "drums.wav").unlink()
        return scores

    monkeypatch.setattr(workers, "score_song", score_and_remove)
    outcomes = run(data, tmp_path, OFFLINE)
    assert all(outcome.scores is not None for outcome in outcomes)


def test_memory_that_runs_out_is_the_end_of_a_song_and_not_of_all(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def starve(song: Song, *_: object, **__: object) -> SongScores:
        raise RuntimeError("DefaultCPUAllocator: cannot allocate memory")

    monkeypatch.setattr(workers, "score_song", starve)
    outcomes = run(data, tmp_path, OFFLINE)
    assert [str(outcome.error)[:15] for outcome in outcomes] == ["memory ran out:"] * 2


def test_scores_that_cannot_be_kept_end_the_evaluation(data: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("not a folder")
    with pytest.raises(OutputError, match="cannot write"):
        run(data, tmp_path, OFFLINE)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    save_checkpoint(tiny_model().separator, path, licence="CC0", training="none")
    return path


def test_processes_side_by_side_find_the_same(data: Path, weights: Path, tmp_path: Path) -> None:
    load = partial(load_model, weights)
    model, checksum = load(), sha256_of(weights)
    tasks = tasks_of(data, Offline(OverlapConfig(segment=8192)), MIXTURE)
    (data / "song-1" / "drums.wav").write_bytes(b"RIFF")
    found = []
    for jobs in (1, 2):
        diary = Diary()
        records = Records(tmp_path / f"out-{jobs}", checksum)
        outcomes = evaluate(tasks, model, records, load=load, jobs=jobs, observer=diary)
        assert {outcome.task for outcome in diary.outcomes} == set(tasks)
        found.append([(outcome.scores, str(outcome.error)) for outcome in outcomes])
    assert found[0] == found[1]
    assert "song-1/drums.wav" in found[1][2][1]
    assert listing(tmp_path / "out-1") == listing(tmp_path / "out-2")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_process_is_one_line(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="fewer jobs"):
        evaluate(
            tasks_of(data, OFFLINE), fake_model(), records_of(tmp_path), load=killed, jobs=2,
            observer=Diary(),
        )  # fmt: skip
