from __future__ import annotations

import importlib.util
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from streamsep.errors import ConfigError, InputError, MissingToolError
from streamsep.synthesis.sampled import tools
from streamsep.synthesis.sampled.soundfont import DRUM_BANK, read_patches
from streamsep.synthesis.score import STEMS, Note, Part, Score
from streamsep.training.render import render_songs

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.synthesis.sampled import SampledBand

RATE = 44100
LACKING = [
    *(name for name in ("fluidsynth", "espeak-ng") if shutil.which(name) is None),
    *(name for name in ("pyworld", "mido") if importlib.util.find_spec(name) is None),
    *([] if any(path.is_file() for path in tools.DEFAULT_SOUNDFONTS) else ["a soundfont"]),
]
needs_tools = pytest.mark.skipif(bool(LACKING), reason=f"not installed: {', '.join(LACKING)}")

TUNE = tuple(Note(0.1 + 0.4 * step, 0.35, 60 + step, 0.8) for step in range(3))
SCORE = Score(
    120.0,
    1.6,
    "rock",
    (
        Part("drums", "kit", tuple(Note(0.4 * beat, 0.1, 36 + beat, 0.9) for beat in range(4))),
        Part("bass", "bass", tuple(Note(note.start_s, 0.35, 40, 0.8) for note in TUNE)),
        Part("other", "riff", TUNE),
        Part("vocals", "voice", TUNE),
    ),
)


@pytest.fixture(scope="module")
def band() -> SampledBand:
    from streamsep.synthesis.sampled import SampledBand

    return SampledBand()


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(MissingToolError, match="apt install fluidsynth"):
        tools.find_program("fluidsynth")


def test_a_missing_package_is_named() -> None:
    with pytest.raises(MissingToolError, match=r"uv sync .*--extra sampled"):
        tools.load_package("no_such_package_of_ours")


def test_missing_soundfonts_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tools, "DEFAULT_SOUNDFONTS", (tmp_path / "absent.sf2",))
    with pytest.raises(MissingToolError, match="apt install fluid-soundfont-gm"):
        tools.find_soundfonts()


@pytest.mark.parametrize("content", [b"", b"RIFF", b"RIFF\0\0\0\0sfbk", b"hello" * 100])
def test_what_is_no_soundfont_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fake.sf2"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"fake\.sf2"):
        read_patches(path)


def test_the_evaluation_soundfont_is_never_a_default() -> None:
    assert not any("TimGM" in path.name for path in tools.DEFAULT_SOUNDFONTS)


def test_senseless_render_orders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="above 0"):
        render_songs(tmp_path, count=0, duration_s=1.0, first_seed=0, band="sampled", jobs=1)


@needs_tools
def test_soundfonts_hold_kits_and_instruments() -> None:
    patches = read_patches(tools.find_soundfonts()[0])
    assert {patch.program for patch in patches if patch.bank == 0} >= set(range(64))
    assert any(patch.bank == DRUM_BANK for patch in patches)


@needs_tools
def test_a_tuned_patch_keeps_time_and_changes_pitch() -> None:
    from streamsep.synthesis.sampled.sampler import Sampler

    sampler = Sampler(tools.find_soundfonts(), RATE)
    organ = sampler.draw_patch(80, np.random.default_rng(0))
    note = [Note(0.5, 0.5, 69, 1.0)]
    for tuning in (0.85, 1.0, 1.18):
        audio = sampler.play(organ, note, 1.2, tuning)
        assert audio.shape == (2, round(1.2 * RATE))
        loud = np.flatnonzero(np.abs(audio).max(axis=0) > 0.1 * np.abs(audio).max())
        assert loud[0] / RATE == pytest.approx(0.5, abs=0.03)
        window = audio[0, round(0.6 * RATE) : round(0.9 * RATE)] * np.hanning(round(0.3 * RATE))
        spectrum = np.abs(np.fft.rfft(window, 8 * RATE))
        near = slice((300 * 8), (600 * 8))
        peak_hz = (near.start + int(np.argmax(spectrum[near]))) / 8
        assert peak_hz == pytest.approx(440.0 * tuning, rel=0.02)


@needs_tools
def test_the_voice_sings_the_melody_in_time(band: SampledBand) -> None:
    from streamsep.synthesis.sampled.singer import Style, sing
    from streamsep.synthesis.sampled.speech import SpeechSynthesiser

    synthesiser = SpeechSynthesiser()
    rng = np.random.default_rng(1)
    speech = synthesiser.speak(rng, 4, high=False)
    style = Style(False, 5.0, 20.0, 0.02, 20.0, 1.0, 0.0)
    sung = sing(synthesiser, speech, TUNE, style, 1.6, RATE, rng)
    assert sung.shape == (round(1.6 * RATE),)
    assert np.abs(sung[: round(0.05 * RATE)]).max() < 0.05 * np.abs(sung).max()
    pitch_hz, times_s = synthesiser.world.harvest(sung.astype(np.float64), RATE)
    for note in TUNE:
        inside = (times_s > note.start_s + 0.15) & (times_s < note.start_s + 0.3) & (pitch_hz > 0)
        expected_hz = 440.0 * 2.0 ** ((note.pitch - 69) / 12)
        assert np.median(pitch_hz[inside]) == pytest.approx(expected_hz, rel=0.04)


@needs_tools
def test_a_song_has_four_finite_stems_and_follows_its_seed(band: SampledBand) -> None:
    song = band.play(SCORE, seed=5)
    again = band.play(SCORE, seed=5)
    assert tuple(song.stems) == STEMS
    for stem, audio in song.stems.items():
        assert audio.shape == (2, round(1.6 * RATE))
        assert audio.dtype == np.float32
        assert np.isfinite(audio).all()
        assert audio.any()
        np.testing.assert_array_equal(audio, again.stems[stem])


@needs_tools
@pytest.mark.parametrize("role", ["chords", "arpeggio", "lead", "pad", "riff"])
def test_every_role_is_cast_and_played_alone(band: SampledBand, role: str) -> None:
    song = band.play(Score(100.0, 0.8, "funk", (Part("other", role, TUNE[:2]),)), seed=2)
    assert song.stems["other"].any()
    assert not any(song.stems[stem].any() for stem in ("drums", "bass", "vocals"))


@needs_tools
def test_chords_for_voices_are_dealt_out_to_singers(band: SampledBand) -> None:
    chord = tuple(Note(0.1, 0.5, pitch, 0.7) for pitch in (60, 64, 67))
    song = band.play(Score(100.0, 0.8, "pop", (Part("vocals", "backing", chord),)), seed=3)
    assert song.stems["vocals"].any()


@needs_tools
def test_an_empty_score_is_silence(band: SampledBand) -> None:
    song = band.play(Score(100.0, 0.2, "rock", ()), seed=0)
    assert not song.mixture.any()


@needs_tools
def test_rendering_resumes_and_leaves_only_whole_songs(tmp_path: Path) -> None:
    order = {"duration_s": 0.5, "first_seed": 7, "band": "sampled", "jobs": 1}
    (first,) = render_songs(tmp_path, count=1, **order)
    files = sorted(path.name for path in first.iterdir())
    assert files == ["bass.flac", "drums.flac", "other.flac", "render.json", "vocals.flac"]
    written = (first / "drums.flac").stat().st_mtime_ns
    songs = render_songs(tmp_path, count=1, **order)
    assert songs == [first]
    assert (first / "drums.flac").stat().st_mtime_ns == written
    assert list(tmp_path.iterdir()) == [first]
