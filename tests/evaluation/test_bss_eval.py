"""What BSS Eval's scores say, and what they do not depend on."""

from __future__ import annotations

import tracemalloc
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsep.errors import ConfigError, InputError
from streamsep.evaluation.bss_eval import BssScores, bss_eval

TAPS = 8
WHOLE = 10**9


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def scores(references, estimates, window=WHOLE, hop=WHOLE, **options):
    """All four scores [4, S, N]."""
    options = {"filter_length": TAPS} | options
    return np.array(astuple(bss_eval(references, estimates, window=window, hop=hop, **options)))


def delayed(sound, lag):
    """A sound and what is left of it after a delay, with silence before it."""
    late = np.zeros_like(sound)
    late[lag:] = sound[: len(sound) - lag]
    return late


def by_definition(references, estimates, taps):
    """The scores [4, S] of whole sounds, from a matrix with a column for every delayed channel."""
    sources, channels, length = references.shape
    padding = [(0, 0), (0, 0), (0, taps - 1)]
    references, estimates = np.pad(references, padding), np.pad(estimates, padding)
    columns = np.array(
        [[[delayed(row, lag) for lag in range(taps)] for row in rows] for rows in references]
    ).reshape(sources, channels * taps, length + taps - 1)

    def explained(sounds, by):
        filters, *_ = np.linalg.lstsq(by.T, sounds.T)
        return (by.T @ filters).T

    result = []
    for source, (true, estimate) in enumerate(zip(references, estimates, strict=True)):
        own = explained(estimate, columns[source])
        joint = explained(estimate, columns.reshape(-1, columns.shape[-1]))
        signals = true, true, own, joint
        errors = estimate - true, own - true, joint - own, estimate - joint
        result.append(
            [
                10 * np.log10(np.sum(signal**2) / np.sum(error**2))
                for signal, error in zip(signals, errors, strict=True)
            ]
        )
    return np.array(result).T


@settings(max_examples=40)
@given(
    sources=st.integers(2, 3),
    channels=st.integers(1, 2),
    taps=st.integers(1, 5),
    extra=st.integers(10, 80),
    seed=st.integers(0, 10**6),
)
def test_scores_follow_their_definition(sources, channels, taps, extra, seed):
    length = sources * channels * taps + extra
    references = noise(sources, channels, length, seed=seed)
    estimates = references + 0.5 * noise(sources, channels, length, seed=seed + 1)
    expected = by_definition(references, estimates, taps)
    found = scores(references, estimates, filter_length=taps)
    np.testing.assert_allclose(found[..., 0], expected, atol=1e-8)


@settings(max_examples=40)
@given(gain=st.floats(1e-6, 1e6))
def test_level_of_the_song_does_not_matter(gain):
    references, estimates = noise(2, 2, 500), noise(2, 2, 500, seed=1)
    louder = scores(gain * references, gain * estimates)
    np.testing.assert_allclose(louder, scores(references, estimates), atol=1e-8)


@settings(max_examples=40)
@given(gain=st.floats(1e-3, 1e3))
def test_level_of_an_estimate_matters_to_sdr_and_isr_alone(gain):
    references = noise(2, 2, 500)
    estimates = references + 0.3 * noise(2, 2, 500, seed=1)
    sdr, isr, *others = scores(references, estimates)
    louder_sdr, louder_isr, *louder_others = scores(references, gain * estimates)
    np.testing.assert_allclose(louder_others, others, atol=1e-8)
    if abs(gain - 1) > 0.1:
        assert (abs(louder_sdr - sdr) > 1e-3).all()
        assert (abs(louder_isr - isr) > 1e-3).all()


@settings(max_examples=40)
@given(gain=st.floats(1e-4, 1e4))
def test_level_of_another_reference_does_not_matter(gain):
    references, estimates = noise(2, 2, 500), noise(2, 2, 500, seed=1)
    other_louder = references * np.array([1.0, gain])[:, None, None]
    found = scores(other_louder, estimates)[:, 0]
    np.testing.assert_allclose(found, scores(references, estimates)[:, 0], atol=1e-8)


@given(order=st.permutations(range(3)))
def test_order_of_sources_is_order_of_scores(order):
    references = noise(3, 1, 900)
    estimates = references + 0.3 * noise(3, 1, 900, seed=1)
    found = scores(references[list(order)], estimates[list(order)], window=300, hop=200)
    expected = scores(references, estimates, window=300, hop=200)[:, list(order)]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_left_and_right_may_be_swapped():
    references, estimates = noise(2, 2, 900), noise(2, 2, 900, seed=1)
    expected = scores(references, estimates, window=300, hop=300)
    found = scores(references[:, ::-1], estimates[:, ::-1], window=300, hop=300)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_perfect_estimates_have_no_distortion():
    references = noise(3, 2, 3000)
    sdr, *others = scores(references, references, window=1000, hop=1000)
    assert np.isposinf(sdr).all()
    assert (np.array(others) > 200).all()


def test_a_short_filter_is_forgiven_by_sir_and_sar():
    references = noise(2, 1, 3000)
    references[..., -TAPS:] = 0
    estimates = np.array([[0.2 * delayed(rows[0], 3)] for rows in references])
    sdr, isr, sir, sar = scores(references, estimates)
    assert (sdr < 1).all()
    assert (isr < 1).all()
    assert (sir > 200).all()
    assert (sar > 200).all()


def test_a_filter_longer_than_the_taps_is_an_artifact():
    references = noise(2, 1, 3000)
    estimates = np.array([[delayed(rows[0], TAPS)] for rows in references])
    assert (scores(references, estimates)[3] < -10).all()


def test_a_tenth_of_another_source_is_interference_at_20_db():
    references = noise(2, 1, 50_000)
    estimates = references + 0.1 * references[::-1]
    sdr, isr, sir, sar = scores(references, estimates)
    np.testing.assert_allclose(sdr, 20, atol=0.1)
    np.testing.assert_allclose(sir, 20, atol=0.1)
    assert (isr > 35).all()
    assert (sar > 200).all()


def test_a_tenth_of_noise_is_an_artifact_at_20_db():
    references = noise(2, 1, 50_000)
    sdr, isr, sir, sar = scores(references, references + 0.1 * noise(2, 1, 50_000, seed=1))
    np.testing.assert_allclose(sdr, 20, atol=0.1)
    np.testing.assert_allclose(sar, 20, atol=0.1)
    assert (isr > 50).all()
    assert (sir > 50).all()


def test_a_single_source_has_no_interference():
    found = scores(noise(1, 2, 500), noise(1, 2, 500, seed=1), window=200, hop=100)
    assert np.isposinf(found[2]).all()
    assert np.isfinite(found[[0, 1, 3]]).all()


@pytest.mark.parametrize("framewise_filters", [False, True])
@pytest.mark.parametrize("silent", ["reference", "estimate", "channels that cancel"])
def test_a_frame_with_a_silent_source_has_no_scores(silent, framewise_filters):
    references, estimates = noise(2, 2, 900), noise(2, 2, 900, seed=1)
    frame = slice(300, 600)
    if silent == "reference":
        references[1, :, frame] = 0
    elif silent == "estimate":
        estimates[0, :, frame] = 0
    else:
        references[1, 1, frame] = -references[1, 0, frame]
    found = scores(references, estimates, window=300, hop=300, framewise_filters=framewise_filters)
    assert np.isnan(found[..., 1]).all()
    assert np.isfinite(found[..., [0, 2]]).all()


def test_a_source_that_never_sounds_leaves_no_scores():
    references = noise(2, 1, 900)
    references[0] = 0
    found = bss_eval(references, noise(2, 1, 900, seed=1), window=300, hop=300, filter_length=TAPS)
    assert np.isnan(astuple(found)).all()
    assert all(np.isnan(median).all() for median in found.median().values())


def test_a_silent_channel_is_no_silent_source():
    references = noise(2, 2, 900)
    references[0, 1] = 0
    mono = np.stack([references[0, 0], references[1, 0]])[:, None]
    assert np.isfinite(scores(references, noise(2, 2, 900, seed=1))).all()
    # A channel without sound adds nothing: of two such sources the scores are those of mono.
    left_only = np.concatenate([mono, np.zeros_like(mono)], axis=1)
    estimates = noise(2, 1, 900, seed=1)
    stereo = np.concatenate([estimates, np.zeros_like(estimates)], axis=1)
    np.testing.assert_allclose(scores(left_only, stereo), scores(mono, estimates), atol=1e-9)


def test_two_equal_channels_score_as_one():
    mono, estimates = noise(2, 1, 2000), noise(2, 1, 2000, seed=1)
    estimates += mono
    found = scores(mono.repeat(2, axis=1), estimates.repeat(2, axis=1), window=500, hop=500)
    np.testing.assert_allclose(found, scores(mono, estimates, window=500, hop=500), atol=1e-4)


@settings(max_examples=40)
@given(length=st.integers(1, 400), window=st.integers(1, 150), hop=st.integers(1, 150))
def test_only_whole_frames_count(length, window, hop):
    sounds = noise(1, 1, length)
    found = scores(sounds, sounds + 1, window=window, hop=hop, filter_length=2)
    expected = (length - window + hop) // hop if window < length else 1
    assert found.shape == (4, 1, expected)


@settings(max_examples=40)
@given(length=st.integers(1, 60))
def test_less_than_a_window_is_one_frame(length):
    references, estimates = noise(1, 1, length), noise(1, 1, length, seed=1)
    short = scores(references, estimates, window=60, hop=7)
    np.testing.assert_array_equal(short, scores(references, estimates))


def test_framewise_filters_see_their_frame_alone():
    references, estimates = noise(2, 1, 900), noise(2, 1, 900, seed=1)
    found = scores(references, estimates, window=300, hop=200, framewise_filters=True)
    for index, start in enumerate(range(0, 601, 200)):
        frame = slice(start, start + 300)
        alone = scores(references[..., frame], estimates[..., frame])
        np.testing.assert_array_equal(found[..., [index]], alone)


def test_sdr_of_a_frame_is_its_ratio_of_signal_to_error():
    references, estimates = noise(2, 2, 900), noise(2, 2, 900, seed=1)
    sdr = scores(references, estimates, window=300, hop=300)[0]
    signal = (references**2).reshape(2, 2, 3, 300).sum(axis=(1, 3))
    error = ((estimates - references) ** 2).reshape(2, 2, 3, 300).sum(axis=(1, 3))
    np.testing.assert_allclose(sdr, 10 * np.log10(signal / error), atol=1e-12)


def test_integers_and_float32_are_welcome():
    references = (noise(2, 1, 500) * 5000).astype(np.int16)
    estimates = (noise(2, 1, 500, seed=1) * 5000).astype(np.int16)
    expected = scores(references.astype(float), estimates.astype(float))
    np.testing.assert_array_equal(scores(references, estimates), expected)
    found = scores(references.astype(np.float32), estimates.astype(np.float32))
    np.testing.assert_array_equal(found, expected)


def test_median_ignores_frames_without_scores():
    frames = np.array([[1.0, np.nan, 2.0, 9.0], [np.nan] * 4])
    median = BssScores(sdr=frames, isr=frames + 1, sir=frames + 2, sar=frames + 3).median()
    assert list(median) == ["sdr", "isr", "sir", "sar"]
    assert median["sdr"][0] == 2.0
    assert median["sar"][0] == 5.0
    assert all(np.isnan(median[name][1]) for name in median)


@pytest.mark.parametrize("window", [44_100, WHOLE])
def test_memory_does_not_grow_with_the_track(window):
    def peak(length):
        sounds = np.random.default_rng(0).random((2, 1, length), dtype=np.float32)
        tracemalloc.start()
        try:
            scores(sounds, sounds[::-1], window=window, hop=window, filter_length=64)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    ten_seconds = 10 * 44_100
    assert peak(3 * ten_seconds) < 1.02 * peak(ten_seconds)


def test_different_shapes_are_an_error():
    with pytest.raises(InputError, match=r"\(2, 1, 500\).*\(2, 1, 499\).*cut or pad"):
        scores(noise(2, 1, 500), noise(2, 1, 499))


@pytest.mark.parametrize("shape", [(500,), (2, 500), (0, 1, 500), (2, 1, 0)])
def test_other_than_sources_channels_samples_is_an_error(shape):
    with pytest.raises(InputError, match="sources, channels, samples"):
        scores(np.ones(shape), np.ones(shape))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["references", "estimates"])
def test_samples_that_are_not_finite_are_an_error(value, where):
    sounds = {"references": noise(2, 1, 500), "estimates": noise(2, 1, 500, seed=1)}
    sounds[where][1, 0, 321] = value
    with pytest.raises(InputError, match="not finite"):
        scores(**sounds)


@pytest.mark.parametrize("option", ["window", "hop", "filter_length"])
def test_numbers_below_one_are_an_error(option):
    with pytest.raises(ConfigError, match=f"{option} must be at least 1"):
        scores(noise(2, 1, 500), noise(2, 1, 500), **{option: 0})
