"""Many tracks: each ends on its own, none gets in another's way."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest
import torch
from fakes import SegmentShaped

from offline.material import STEMS, fake_model, listing, noise, read, write
from streamsep.errors import ConfigError, InputError
from streamsep.files import Encoding, expand
from streamsep.offline import OutputLayout, SeparationOptions, separate_batch

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.offline import TrackOutcome

FLOAT = SeparationOptions(encoding=Encoding(samples="float32"))


class Diary:
    """An observer that writes down what it is told."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, int]] = []
        self.outcomes: dict[int, TrackOutcome] = {}

    def started(self, index: int, source: Path) -> None:
        self.entries.append(("started", index))

    def advanced(self, index: int, done: int, total: int | None) -> None:
        self.entries.append(("advanced", index))

    def ended(self, index: int, outcome: TrackOutcome) -> None:
        self.entries.append(("ended", index))
        self.outcomes[index] = outcome


def songs(folder: Path, count: int = 3) -> Path:
    for number in range(count):
        write(folder / f"song{number}.wav", noise(2, 5_000 + number, seed=number))
    return folder


def batch(folder: Path, **options: object) -> list[TrackOutcome]:
    """Separate a folder into its `out`."""
    out = folder / "out"
    template = options.pop("template", "{track}/{stem}.{ext}")
    found, _ = expand([folder], exclude=out)
    chosen = options.pop("options", FLOAT)
    model = options.pop("model", fake_model())
    return separate_batch(found, model, chosen, OutputLayout(out, "fake", template), **options)


def test_every_track_has_its_outcome_in_the_order_given(tmp_path: Path) -> None:
    outcomes = batch(songs(tmp_path))
    assert [outcome.source.name for outcome in outcomes] == ["song0.wav", "song1.wav", "song2.wav"]
    assert [outcome.result.frames for outcome in outcomes] == [5_000, 5_001, 5_002]


def test_side_by_side_gives_the_same_files(tmp_path: Path) -> None:
    model = fake_model(SegmentShaped())
    written = []
    for jobs in (1, 2):
        outcomes = batch(songs(tmp_path), model=model, jobs=jobs)
        written.append([read(path) for o in outcomes for path in o.result.stems.values()])
    assert all(torch.equal(one, two) for one, two in zip(*written, strict=True))


def test_jobs_must_be_at_least_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least 1, got 0"):
        batch(songs(tmp_path), jobs=0)


def test_the_threads_of_torch_are_as_before(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    batch(songs(tmp_path), jobs=2)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_bad_file_does_not_stop_the_others(jobs: int, tmp_path: Path) -> None:
    songs(tmp_path)
    (tmp_path / "song1.wav").write_text("not audio")
    diary = Diary()
    outcomes = batch(tmp_path, jobs=jobs, observer=diary)
    assert [outcome.result is not None for outcome in outcomes] == [True, False, True]
    assert isinstance(outcomes[1].error, InputError)
    assert diary.outcomes == dict(enumerate(outcomes))
    expected = [f"fake/{track}/{stem}.wav" for track in ("song0", "song2") for stem in STEMS]
    assert listing(tmp_path / "out") == sorted(expected)


def test_an_observer_is_told_the_whole_story(tmp_path: Path) -> None:
    diary = Diary()
    batch(songs(tmp_path, 1), observer=diary)
    kinds = [kind for kind, _ in diary.entries]
    assert kinds[0] == "started"
    assert kinds[-1] == "ended"
    assert set(kinds[1:-1]) == {"advanced"}


def test_a_mistake_that_all_tracks_share_is_said_once_and_first(tmp_path: Path) -> None:
    diary = Diary()
    with pytest.raises(ConfigError, match="unknown stem 'voice'"):
        batch(songs(tmp_path), options=SeparationOptions(two_stems="voice"), observer=diary)
    assert diary.entries == []


def test_tracks_of_the_same_name_do_not_collide(tmp_path: Path) -> None:
    for path in ("song.wav", "song.flac", "one/song.wav", "two/song.wav"):
        write(tmp_path / path)
    batch(tmp_path)
    folders = {name.rpartition("/")[0] for name in listing(tmp_path / "out")}
    assert folders == {f"fake/{t}" for t in ("song.wav", "song.flac", "one/song", "two/song")}


def test_a_template_that_makes_tracks_collide_is_refused_before_anything_is_made(
    tmp_path: Path,
) -> None:
    with pytest.raises(ConfigError, match=r"song0.wav' and of .*song1.wav' would both be"):
        batch(songs(tmp_path), template="{stem}.{ext}")
    assert not (tmp_path / "out").exists()


def test_stems_that_some_disks_do_not_tell_apart_are_refused(tmp_path: Path) -> None:
    for name in ("a.WAV", "b.wav"):
        write(tmp_path / name, subtype="FLOAT")
    with pytest.raises(ConfigError, match="would both be"):
        batch(tmp_path, template="{trackext}/{stem}.{ext}")


def test_what_exists_can_be_skipped(tmp_path: Path) -> None:
    songs(tmp_path)
    batch(tmp_path)
    folder = tmp_path / "out" / "fake"
    (folder / "song1" / "bass.wav").unlink()
    untouched = folder / "song0" / "bass.wav"
    untouched.write_bytes(b"mine")
    outcomes = batch(tmp_path, skip_existing=True)
    assert [outcome.result is not None for outcome in outcomes] == [False, True, False]
    assert [outcome.error for outcome in outcomes] == [None] * 3
    assert untouched.read_bytes() == b"mine"
    assert (folder / "song1" / "bass.wav").is_file()


def test_a_new_album_does_not_pass_its_stems_off_as_those_of_a_double(tmp_path: Path) -> None:
    layout = OutputLayout(tmp_path / "out", "fake")
    albums = {name: write(tmp_path / name / "intro.wav", noise(seed=ord(name))) for name in "abc"}
    for night in ("ac", "abc"):
        found, _ = expand([tmp_path / album for album in night])
        separate_batch(found, fake_model(), FLOAT, layout, skip_existing=True)
    for album, song in albums.items():
        drums = read(tmp_path / "out" / "fake" / album / "intro" / "drums.wav")
        assert torch.allclose(drums, 0.1 * read(song), atol=0.01)


def test_what_would_be_written_otherwise_is_not_skipped(tmp_path: Path) -> None:
    batch(songs(tmp_path))
    flac = SeparationOptions(encoding=Encoding("flac"))
    outcomes = batch(tmp_path, options=flac, skip_existing=True)
    assert all(outcome.result is not None for outcome in outcomes)


@pytest.mark.parametrize("skip_existing", [False, True])
def test_what_a_killed_run_left_is_cleared_away(skip_existing: bool, tmp_path: Path) -> None:
    batch(songs(tmp_path, 1))
    folder = tmp_path / "out" / "fake" / "song0"
    (folder / ".bass.123-0a1b2c3d.part.wav").touch()
    batch(tmp_path, skip_existing=skip_existing)
    assert listing(folder) == sorted(f"{stem}.wav" for stem in STEMS)


def test_separating_a_folder_twice_does_not_separate_the_stems(tmp_path: Path) -> None:
    songs(tmp_path)
    assert len(batch(tmp_path)) == len(batch(tmp_path)) == 3


def test_ctrl_c_stops_all_tracks_and_leaves_nothing(tmp_path: Path) -> None:
    class Impatient(Diary):
        def advanced(self, index: int, done: int, total: int | None) -> None:
            if done > 100_000:
                raise KeyboardInterrupt

    for number in range(3):
        write(tmp_path / f"song{number}.wav", noise(2, 300_000))
    diary = Impatient()
    with pytest.raises(KeyboardInterrupt):
        batch(tmp_path, jobs=2, observer=diary)
    assert diary.outcomes == {}
    assert listing(tmp_path / "out") == []


def test_a_bug_is_not_taken_for_a_bad_file(tmp_path: Path) -> None:
    class Buggy(SegmentShaped):
        def __call__(self, mix: torch.Tensor) -> torch.Tensor:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        batch(songs(tmp_path), model=fake_model(Buggy()))
    assert listing(tmp_path / "out") == []


def samples_in_memory() -> int:
    """The sizes of all tensors that are alive, added up."""
    gc.collect()
    return sum(thing.numel() for thing in gc.get_objects() if type(thing) is torch.Tensor)


def test_a_track_that_failed_does_not_keep_its_buffers(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        path = write(tmp_path / name, noise(2, 100_000))
        path.write_bytes(path.read_bytes()[:-100_000])  # seen when it is opened
    for name in ("c.mp3", "d.mp3"):
        path = write(tmp_path / name, noise(2, 200_000))
        path.write_bytes(path.read_bytes()[:-10_000])  # seen at its end
    model = fake_model()
    before = samples_in_memory()
    outcomes = batch(tmp_path, model=model)
    assert all("is truncated" in str(outcome.error) for outcome in outcomes)
    assert samples_in_memory() <= before


def test_an_empty_batch_is_no_work(tmp_path: Path) -> None:
    assert separate_batch([], fake_model(), FLOAT, OutputLayout(tmp_path, "fake")) == []
