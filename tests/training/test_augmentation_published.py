"""Shift, repitch and remix: the published changes of all stems of an example, or of a batch."""

from __future__ import annotations

import builtins
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import require

from streamsep.audio.time_stretch import require_time_stretch
from streamsep.errors import MissingToolError
from streamsep.training.augmentation import RemixGroups, Repitch, Shift

RATE = 44_100


def counted(*shape: int) -> torch.Tensor:
    """Numbers of which no two are the same."""
    return torch.arange(math.prod(shape), dtype=torch.float32).reshape(shape)


# Shift


@settings(max_examples=30)
@given(samples=st.integers(0, 40), length=st.integers(1, 60), seed=st.integers(0, 2**32))
def test_a_shifted_stem_is_a_piece_of_what_was_given(samples, length, seed):
    shift = Shift(samples)
    stems = counted(4, 2, shift.needs(length))
    shifted = shift(stems, np.random.default_rng(seed))
    assert shifted.shape == (4, 2, length)
    starts = [int(stem[0, 0] - whole[0, 0]) for stem, whole in zip(shifted, stems, strict=True)]
    assert all(0 <= start <= samples for start in starts)
    for stem, whole, start in zip(shifted, stems, starts, strict=True):
        # Left and right stay together.
        assert torch.equal(stem, whole[:, start : start + length])


def test_every_stem_is_displaced_by_itself_and_by_every_distance():
    shift = Shift(3)
    starts = set()
    for seed in range(400):
        shifted = shift(counted(1, 1, 13).repeat(2, 1, 1), np.random.default_rng(seed))
        starts.add((int(shifted[0, 0, 0]), int(shifted[1, 0, 0])))
    assert starts == {(one, other) for one in range(4) for other in range(4)}


# Remix


@settings(max_examples=40)
@given(
    examples=st.integers(1, 11),
    sources=st.integers(1, 5),
    group=st.integers(1, 6),
    seed=st.integers(0, 2**32),
)
def test_a_remix_permutes_each_source_within_groups_and_invents_nothing(
    examples, sources, group, seed
):
    batch = counted(examples, sources, 2, 3)
    before = batch.clone()
    remixed = RemixGroups(group)(batch, np.random.default_rng(seed))
    assert torch.equal(batch, before)
    assert remixed.shape == batch.shape
    for first in range(0, examples, group):
        for source in range(sources):
            ours = remixed[first : first + group, source].tolist()
            theirs = batch[first : first + group, source].tolist()
            assert sorted(ours) == sorted(theirs)


def test_sources_are_permuted_by_draws_of_their_own():
    batch = counted(4, 2, 1, 1)
    orders = set()
    for seed in range(300):
        remixed = RemixGroups(4)(batch, np.random.default_rng(seed))
        orders.add(tuple((remixed[:, :, 0, 0].long() // 2).flatten().tolist()))
    # Of the 576 pairs of permutations, some 230 come up in 300 draws; were they one draw, 24.
    assert len(orders) > 150


# Repitch


@pytest.fixture(scope="module")
def stretching() -> None:
    try:
        require_time_stretch()
    except MissingToolError as missing:
        require(False, str(missing))


def tone(frequency: float, length: int) -> torch.Tensor:
    """A mono sine at half scale, float32 [1, length]."""
    time = torch.arange(length, dtype=torch.float64) / RATE
    return (0.5 * torch.sin(2 * math.pi * frequency * time)).float()[None]


def strongest_frequency(sound: torch.Tensor) -> float:
    spectrum = torch.fft.rfft(sound[0] * torch.hann_window(sound.shape[-1])).abs()
    return float(spectrum.argmax()) * RATE / sound.shape[-1]


def click_times(sound: torch.Tensor, count: int) -> list[int]:
    """Where the clicks of a sound lie: the middles of its loudest 20 ms, none near another."""
    energy = torch.nn.functional.avg_pool1d(sound.square()[None], 883, 1, 441)[0, 0]
    times = []
    for _ in range(count):
        middle = int(energy.argmax())
        times.append(middle)
        energy[max(0, middle - 4_410) : middle + 4_410] = 0.0
    return sorted(times)


@settings(max_examples=8)
@given(
    length=st.integers(1, 9_000),
    limit=st.floats(0.0, 0.5),
    probability=st.sampled_from([0.0, 1.0]),
    seed=st.integers(0, 2**32),
)
def test_a_repitched_example_is_as_long_as_it_must_be(stretching, length, limit, probability, seed):
    repitch = Repitch(probability, 2, 0.2, limit, RATE)
    given_length = repitch.needs(length)
    assert length <= given_length <= math.ceil(length * (1 + limit)) + 1
    stems = torch.randn(2, 2, given_length, generator=torch.Generator().manual_seed(seed))
    before = stems.clone()
    changed = repitch(stems, np.random.default_rng(seed))
    assert length <= changed.shape[-1] <= length + 1
    assert changed.dtype == torch.float32
    assert torch.isfinite(changed).all()
    assert torch.equal(stems, before)


def test_a_repitch_moves_all_stems_by_the_same_whole_number_of_semitones(stretching):
    frequencies = (500.0, 2_000.0)
    stems = torch.stack([tone(frequency, 20_000) for frequency in frequencies])
    moved = set()
    for seed in range(12):
        changed = Repitch(1.0, 2, 0.0, 0.0, RATE)(stems, np.random.default_rng(seed))
        semitones = [
            12 * math.log2(strongest_frequency(stem) / frequency)
            for stem, frequency in zip(changed, frequencies, strict=True)
        ]
        assert semitones[0] == pytest.approx(round(semitones[0]), abs=0.1)
        assert semitones[1] == pytest.approx(semitones[0], abs=0.1)
        moved.add(round(semitones[0]))
    assert moved == {-2, -1, 0, 1, 2}


def test_a_repitch_moves_the_beats_of_all_stems_alike(stretching):
    stems = torch.zeros(2, 1, 60_000)
    clicks = [10_000, 25_000, 40_000]
    for at in clicks:
        stems[0, 0, at : at + 40] = torch.hann_window(40)
        stems[1, 0, at : at + 90] = -torch.hann_window(90)
    tempos = []
    for seed in range(5):
        changed = Repitch(1.0, 0, 0.05, 0.12, RATE)(stems, np.random.default_rng(seed))
        one, other = click_times(changed[0], 3), click_times(changed[1], 3)
        tempo = (clicks[2] - clicks[0]) / (one[2] - one[0])
        for at, here, there in zip(clicks, one, other, strict=True):
            # Within 5 ms, which no ear and no network tells from together.
            assert here == pytest.approx(at / tempo, abs=220)
            assert here == pytest.approx(there, abs=220)
        tempos.append(tempo)
    assert all(0.875 < tempo < 1.125 for tempo in tempos)
    assert np.std(tempos) > 0.02


def test_the_change_of_tempo_stops_at_its_limit(stretching):
    click = torch.zeros(1, 1, 40_000)
    click[..., 20_000:20_040] = torch.hann_window(40)
    for seed in range(5):
        changed = Repitch(1.0, 0, 100.0, 0.12, RATE)(click, np.random.default_rng(seed))
        [at] = click_times(changed[0], 1)
        assert min(abs(at - 20_000 / tempo) for tempo in (0.88, 1.12)) < 220


def test_a_repitch_happens_as_often_as_it_is_asked_to(stretching):
    stems = tone(1_000.0, 3_000)[None]
    repitch = Repitch(0.25, 2, 0.05, 0.0, RATE)
    changed = [
        not torch.equal(repitch(stems, np.random.default_rng(seed)), stems) for seed in range(200)
    ]
    # Of those repitched, a fifth keeps its pitch, and a limit of 0 keeps the tempo.
    assert pytest.approx(sum(changed), abs=18) == 0.25 * 0.8 * 200


def test_the_generator_decides_a_repitch(stretching):
    stems = torch.randn(2, 2, 8_000)
    repitch = Repitch(1.0, 2, 0.05, 0.12, RATE)
    one, again, other = (repitch(stems, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_a_missing_library_is_named_before_any_work_is_done(monkeypatch):
    importing = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("python_stretch"):
            raise ModuleNotFoundError(name)
        return importing(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingToolError, match=r"python-stretch.*uv sync .*--extra training"):
        Repitch(0.2, 2, 0.05, 0.12, RATE)
