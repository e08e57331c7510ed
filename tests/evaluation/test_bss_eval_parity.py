"""BSS Eval's scores are those of museval and of the MATLAB toolbox."""

from __future__ import annotations

import json
from dataclasses import astuple

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from museval_package import museval_scores
from support import shared

from streamsep.evaluation.bss_eval import bss_eval

RATE = 44_100
MUSEVAL_NAMES = ("SDR", "ISR", "SIR", "SAR")
MUSEVAL_TOLERANCE_DB = 1e-4
MATLAB_TOLERANCE_DB = 1e-2
MATLAB_SETS = ("01", "02", "03", "05", "06", "07", "08", "09")
MATLAB_NAMES = (
    "Source to Distortion",
    "Image to Spatial",
    "Source to Interference",
    "Source to Artifact",
)
# The others take long: they have more channels, or more frames with filters of their own.
MATLAB_IMAGES = [
    *(("Images", number) for number in ("01", "02", "03", "06", "09")),
    *(("Images Framewise", number) for number in ("01", "03", "09")),
]


def scores(references, estimates, **options):
    return np.array(astuple(bss_eval(references, estimates, **options)))


@pytest.fixture(scope="module")
def excerpt():
    """The stems and the mixture [C, T] of an excerpt of MUSDB18."""
    folder = shared("reference/museval/music_delta_80s_rock")
    names = ("drums", "bass", "other", "vocals", "mixture")
    return {name: soundfile.read(folder / f"{name}.wav")[0].T for name in names}


def test_stored_scores_of_museval(excerpt):
    # The scores are those of uniform noise from numpy's first generator, samples before channels.
    random = np.random.RandomState(0)
    shape = excerpt["mixture"].T.shape
    estimates = np.stack([random.random_sample(shape).T for _ in range(2)])
    references = np.stack(
        [excerpt["vocals"], excerpt["drums"] + excerpt["bass"] + excerpt["other"]]
    )
    stored = json.loads(shared("reference/museval/Music Delta - 80s Rock.json").read_text())
    expected = [
        [[frame["metrics"][name] for frame in target["frames"]] for target in stored["targets"]]
        for name in MUSEVAL_NAMES
    ]
    found = scores(references, estimates, window=RATE, hop=RATE)
    np.testing.assert_allclose(found, expected, atol=MUSEVAL_TOLERANCE_DB)


@pytest.mark.parametrize("kind", ["stereo", "mono as stereo", "hard left"])
def test_museval_on_music(excerpt, kind):
    two_seconds = slice(2 * RATE, 4 * RATE + RATE // 2)
    references = np.stack([excerpt["bass"], excerpt["vocals"]])[..., two_seconds]
    if kind == "mono as stereo":
        references = references.mean(axis=1, keepdims=True).repeat(2, axis=1)
    elif kind == "hard left":
        references[0, 1] = 0
    leak = 0.05 * excerpt["mixture"][:, two_seconds]
    hiss = 1e-3 * np.random.default_rng(0).standard_normal(references.shape)
    estimates = 0.9 * references + leak + hiss
    framing = {"window": RATE, "hop": RATE // 2}
    found = scores(references, estimates, filter_length=128, **framing)
    expected = museval_scores(references, estimates, filters_len=128, **framing)
    np.testing.assert_allclose(found, expected, atol=MUSEVAL_TOLERANCE_DB)


@settings(max_examples=40)
@given(
    sources=st.integers(1, 3),
    channels=st.integers(1, 2),
    # From less than the taps to several FFTs.
    length=st.one_of(st.integers(200, 1000), st.integers(8000, 30_000)),
    window_share=st.floats(0.05, 1.5),
    hop_share=st.floats(0.05, 1.0),
    taps=st.integers(1, 32),
    framewise_filters=st.booleans(),
    silent=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_museval_on_anything(
    sources, channels, length, window_share, hop_share, taps, framewise_filters, silent, seed
):
    random = np.random.default_rng(seed)
    references = random.standard_normal((sources, channels, length))
    references *= random.uniform(0.01, 1, (sources, 1, 1))
    estimates = references + 0.3 * random.standard_normal(references.shape)
    window = max(1, round(window_share * length))
    hop = max(1, round(hop_share * window))
    # With new filters for a frame that is silent, museval stops with an error of its own.
    if silent and not framewise_filters:
        references[-1, :, : length * 2 // 3] = 0
    options = {"window": window, "hop": hop, "framewise_filters": framewise_filters}
    found = scores(references, estimates, filter_length=taps, **options)
    expected = museval_scores(references, estimates, filters_len=taps, **options)
    # Filters that have as many taps as a frame has samples explain all of it; the rest is rounding.
    meaningful = ~(np.isfinite(expected) & (expected > 100))
    np.testing.assert_allclose(found[meaningful], expected[meaningful], atol=MUSEVAL_TOLERANCE_DB)
    assert (found[~meaningful] > 90).all()


class MatlabSet:
    """References and estimates [S, T] and the scores of the MATLAB toolbox."""

    def __init__(self, number):
        folder = shared("reference/bss_eval")
        self.references = self._sounds(folder / f"ref{number}")
        self.estimates = self._sounds(folder / f"est{number}")
        self.expected = json.loads((folder / f"output{number}.json").read_text())

    def images(self, mode):
        """Sounds [S, C, T] as the toolbox had them for a mode, estimates in their best order."""
        facts = self.expected[mode]
        channels = facts.get("nchan", 1)
        # All channels are the one there is; an estimate's further ones have a gain, and may be
        # in reverse order.
        gains = np.array([1.0] + [facts.get("gain", 1.0)] * (channels - 1))
        if facts.get("reverse"):
            gains = gains[::-1]
        order = facts["Source permutation"] if "win" not in facts else range(len(self.references))
        references = self.references[:, None].repeat(channels, axis=1)
        return references, self.estimates[order, None] * gains[:, None]

    def scores(self, mode):
        """Expected scores [S, N] by their names in the toolbox."""
        sources = len(self.references)
        return {
            name: np.array(values, dtype=float).reshape(sources, -1)
            for name, values in self.expected[mode].items()
            if " to " in name
        }

    def framing(self, mode):
        """The frames of a mode, with filters of their own."""
        facts = self.expected[mode]
        length = self.references.shape[-1]
        window, hop = facts.get("win", length), facts.get("hop", length)
        return {"window": window, "hop": hop, "framewise_filters": True}

    @staticmethod
    def _sounds(folder):
        files = sorted(folder.glob("*.wav"))
        return np.stack([soundfile.read(file, always_2d=True)[0].mean(axis=1) for file in files])


@pytest.mark.parametrize(("mode", "number"), MATLAB_IMAGES)
def test_matlab_images(mode, number):
    material = MatlabSet(number)
    found = bss_eval(*material.images(mode), **material.framing(mode))
    expected = material.scores(mode)
    for scores_found, name in zip(astuple(found), MATLAB_NAMES, strict=True):
        np.testing.assert_allclose(scores_found, expected[name], atol=MATLAB_TOLERANCE_DB)


@pytest.mark.parametrize("mode", ["Sources", "Framewise"])
@pytest.mark.parametrize("number", MATLAB_SETS)
def test_matlab_sources(number, mode):
    material = MatlabSet(number)
    found = bss_eval(*material.images(mode), **material.framing(mode))
    expected = material.scores(mode)
    tolerance = {"atol": MATLAB_TOLERANCE_DB}
    np.testing.assert_allclose(found.sir, expected["Source to Interference"], **tolerance)
    np.testing.assert_allclose(found.sar, expected["Source to Artifact"], **tolerance)
    # For the toolbox the filtered reference is the signal here, whatever the filter. With filters
    # of the frame the parts are orthogonal, so SIR and SAR tell how that compares with all errors.
    interference = 10 ** (-found.sir / 10)
    artifacts = (1 + interference) * 10 ** (-found.sar / 10)
    sdr = -10 * np.log10(interference + artifacts)
    np.testing.assert_allclose(sdr, expected["Source to Distortion"], **tolerance)
