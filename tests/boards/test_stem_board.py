"""`StemBoard`: stems through chains of plugins come out aligned, whatever the plugins hold back."""

from __future__ import annotations

import numpy as np
import pedalboard
import pytest
from board_material import RATE, STEMS, delayed, in_pieces, noise_stems
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsep.errors import ConfigError, InputError
from vst_wrapper import Send, StemBoard


def straight_sum(stems: np.ndarray) -> np.ndarray:
    return ((stems[0] + stems[1]) + stems[2]) + stems[3]


def test_a_board_without_plugins_gives_the_sum_of_the_stems() -> None:
    stems = noise_stems()
    assert np.array_equal(StemBoard().process(stems, RATE)["mix"], straight_sum(stems))


def test_plugins_that_do_nothing_give_the_sum_of_the_stems() -> None:
    stems = noise_stems()
    chains = {stem: [pedalboard.Gain(0.0), pedalboard.Pedalboard()] for stem in STEMS}
    board = StemBoard(stems=chains, mix=[pedalboard.Invert(), pedalboard.Invert()])
    assert np.array_equal(board.process(stems, RATE)["mix"], straight_sum(stems))


@pytest.mark.parametrize("length", [0, 1, 2, 511, 8_192, 30_001])
def test_everything_stays_aligned_whatever_plugins_hold_back(length: int) -> None:
    stems = noise_stems(length)
    board = StemBoard(
        stems={
            "drums": [delayed(777), delayed(20_000)],
            "other": [pedalboard.Chain([delayed(1)]), pedalboard.Gain(0.0)],
            "vocals": [delayed(8_192)],
        },
        sends={"back": Send([delayed(5_000)], {"vocals": 0.0})},
        mix=[delayed(13)],
        outputs=("stems", "mix"),
    )
    outputs = board.process(stems, RATE)
    for stem, expected in zip(STEMS, stems, strict=True):
        assert np.array_equal(outputs[stem], expected)
    assert np.array_equal(outputs["mix"], straight_sum(stems) + stems[3])


def test_a_limiter_that_looks_ahead_stays_aligned() -> None:
    stems = noise_stems()
    limiter = pedalboard.BrickwallLimiter(ceiling_db=40.0, lookahead_ms=20.0)
    board = StemBoard(stems={"bass": [limiter]}, outputs=("bass", "mix"))
    outputs = board.process(stems, RATE)
    assert np.abs(outputs["bass"] - stems[1]).max() < 1e-6
    assert np.abs(outputs["mix"] - straight_sum(stems)).max() < 1e-6


def test_a_mix_of_plugins_runs_them_side_by_side() -> None:
    stems = noise_stems()
    both = pedalboard.Mix([delayed(3_000), pedalboard.Pedalboard([delayed(9), delayed(40)])])
    outputs = StemBoard(stems={"bass": [both]}, outputs=("bass",)).process(stems, RATE)
    assert np.array_equal(outputs["bass"], 2.0 * stems[1])


@settings(max_examples=25)
@given(
    lengths=st.lists(st.integers(0, 9_000), max_size=12),
    total=st.integers(0, 20_000),
    channels=st.sampled_from([1, 2]),
)
def test_the_callers_blocks_do_not_matter(lengths: list[int], total: int, channels: int) -> None:
    stems = noise_stems(total, channels)
    board = StemBoard(
        stems={
            "drums": [pedalboard.Compressor(-30.0, 4.0), delayed(700)],
            "vocals": [pedalboard.Chorus(), pedalboard.HighpassFilter(200.0)],
        },
        sends={"hall": Send([pedalboard.Reverb(dry_level=0.0)], {"vocals": -6.0, "drums": -20.0})},
        mix=[pedalboard.BrickwallLimiter(-12.0)],
        outputs=("mix", "vocals"),
    )
    whole = np.stack(list(board.process(stems, RATE).values()))
    assert whole.shape == (2, channels, total)
    assert np.array_equal(in_pieces(board, stems, lengths), whole)


def test_stems_may_be_given_by_name() -> None:
    stems = noise_stems()
    named = dict(zip(reversed(STEMS), reversed(stems), strict=True))
    assert np.array_equal(StemBoard().process(named, RATE)["mix"], straight_sum(stems))


def test_gains_and_mutes() -> None:
    stems = noise_stems()
    board = StemBoard(gains_db={"drums": 20.0}, muted=["vocals", "bass"], mix_gain_db=-20.0)
    expected = stems[0] + 0.1 * stems[2]
    assert np.abs(board.process(stems, RATE)["mix"] - expected).max() < 1e-6


def test_a_send_hears_stems_behind_their_gain_and_not_the_muted() -> None:
    stems = noise_stems()
    send = Send([pedalboard.Invert()], {"drums": 0.0, "bass": 0.0}, gain_db=-6.0206)
    board = StemBoard(sends={"x": send}, gains_db={"drums": -6.0206}, muted=["bass"])
    expected = 0.25 * stems[0] + stems[2] + stems[3]
    assert np.abs(board.process(stems, RATE)["mix"] - expected).max() < 1e-5


def test_a_muted_stem_can_be_an_output() -> None:
    stems = noise_stems()
    outputs = StemBoard(muted=STEMS, outputs=("mix", "bass")).process(stems, RATE)
    assert np.array_equal(outputs["bass"], stems[1])
    assert not outputs["mix"].any()


def test_a_board_of_muted_stems_is_silent() -> None:
    assert not StemBoard(muted=STEMS).process(noise_stems(), RATE)["mix"].any()


def test_a_song_does_not_hear_the_one_before() -> None:
    stems, other = noise_stems(), noise_stems(seed=1)
    board = StemBoard(
        stems={"drums": [pedalboard.Delay(0.2, 0.5, 0.5), pedalboard.Phaser()]},
        mix=[pedalboard.Reverb(), pedalboard.Limiter()],
    )
    first = board.process(stems, RATE)["mix"]
    board.process(other, 48_000)
    board.start(RATE, 2)
    board.push(other)
    assert np.array_equal(board.process(stems, RATE)["mix"], first)


def test_a_tail_ends_with_its_last_sound() -> None:
    stems = np.zeros((4, 2, RATE), np.float32)
    stems[3, :, -1] = 1.0
    echo = pedalboard.Delay(delay_seconds=0.5, feedback=0.0, mix=0.5)
    board = StemBoard(stems={"vocals": [echo]}, tail_s=3.0)
    mix = board.process(stems, RATE)["mix"]
    assert mix.shape == (2, RATE + RATE // 2)
    assert mix[:, -1].min() > 0.4


def test_a_tail_is_no_longer_than_asked_for() -> None:
    stems = noise_stems(RATE)
    endless = pedalboard.Delay(delay_seconds=0.25, feedback=1.0, mix=0.5)
    mix = StemBoard(mix=[endless], tail_s=1.5).process(stems, RATE)["mix"]
    assert mix.shape[-1] == RATE + round(1.5 * RATE)


def test_without_a_tail_the_length_is_that_of_the_song() -> None:
    board = StemBoard(mix=[pedalboard.Reverb(wet_level=1.0)])
    assert board.process(noise_stems(1_000), RATE)["mix"].shape == (2, 1_000)


def test_silence_at_the_end_of_a_song_is_no_tail() -> None:
    stems = noise_stems(RATE)
    stems[..., 1_000:] = 0.0
    assert StemBoard(tail_s=2.0).process(stems, RATE)["mix"].shape == (2, RATE)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: StemBoard(stems={"vocal": []}), "unknown stem 'vocal', did you mean 'vocals'"),
        (lambda: StemBoard(gains_db={"voice": 1.0}), "unknown stem 'voice', expected bass, drums"),
        (lambda: StemBoard(muted=["drum"]), "unknown stem 'drum', did you mean 'drums'"),
        (lambda: StemBoard(sends={"a": Send([], {"bas": 0.0})}), "did you mean 'bass'"),
        (lambda: StemBoard(outputs=("stem",)), "unknown output 'stem', did you mean 'stems'"),
        (lambda: StemBoard(outputs=()), "gives nothing"),
        (lambda: StemBoard(tail_s=31.0), "tail_s: got 31.0, expected 0 to 30 seconds"),
        (
            lambda: StemBoard(stems={"bass": [pedalboard.Gain(), pedalboard.PitchShift(2.0)]}),
            r"stem 'bass', plugin 2: PitchShift cannot be used on a board",
        ),
        (lambda: StemBoard(mix=["Reverb"]), "mix, plugin 1: got str, expected a plugin"),
    ],
)
def test_mistakes_are_one_line(make: object, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as raised:
        make()
    assert "\n" not in str(raised.value)


def test_a_plugin_cannot_be_at_two_places() -> None:
    gain = pedalboard.Gain()
    with pytest.raises(ConfigError, match=r"plugin 1 \(Gain\): the same plugin"):
        StemBoard(stems={"drums": [gain]}, mix=[gain])


def test_a_plugin_that_fails_is_named() -> None:
    board = StemBoard(stems={"other": [pedalboard.MP3Compressor()]})
    with pytest.raises(ConfigError, match=r"stem 'other', plugin 1 \(MP3Compressor\): MP3 only"):
        board.process(noise_stems(), 96_000)


def test_a_plugin_that_gives_nonsense_is_named() -> None:
    board = StemBoard(mix=[pedalboard.Gain(0.0), pedalboard.Gain(30_000.0)])
    with pytest.raises(ConfigError, match=r"mix, plugin 2 \(Gain\): gave NaN or infinity at 0.00"):
        board.process(noise_stems(), RATE)


def test_a_frequency_above_half_the_sample_rate_is_named() -> None:
    board = StemBoard(stems={"bass": [pedalboard.LowpassFilter(15_000.0)]})
    board.process(noise_stems(), RATE)
    said = r"stem 'bass', plugin 1 \(LowpassFilter\), parameter 'cutoff_frequency_hz': got 15000"
    with pytest.raises(ConfigError, match=said):
        board.process(noise_stems(), 22_050)


def test_a_plugin_that_keeps_everything_back_is_named() -> None:
    board = StemBoard(stems={"vocals": [delayed(70 * RATE)]})
    with pytest.raises(ConfigError, match=r"stem 'vocals', plugin 1 \(AddLatency\): keeps back"):
        board.process(noise_stems(1_000, 1), RATE)


@pytest.mark.parametrize("shape", [(4, 1, 10), (3, 2, 10), (4, 2)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    board = StemBoard()
    board.start(RATE, 2)
    with pytest.raises(InputError, match=r"expected stems \[S=4, C=2, t\], got"):
        board.push(np.zeros(shape, np.float32))


def test_stems_by_name_must_all_be_there_and_alike() -> None:
    named = dict(zip(STEMS, noise_stems(), strict=True))
    with pytest.raises(InputError, match="expected stems of one shape"):
        StemBoard().process({**named, "bass": named["bass"][:, 1:]}, RATE)
    del named["bass"]
    with pytest.raises(InputError, match="stem 'bass' is missing"):
        StemBoard().process(named, RATE)


def test_samples_before_the_start_are_refused() -> None:
    with pytest.raises(InputError, match="expected 'start'"):
        StemBoard().push(noise_stems())
