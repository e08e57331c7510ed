"""All changes together: what a configuration asks for, in which order, how often."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from streamsep.config.training import AugmentationConfig
from streamsep.training.augmentation import Augmentation

RATE = 1_000
LIVELY = AugmentationConfig(
    varispeed=0.5,
    drive=0.5,
    tilt=0.5,
    mono=0.5,
    shift_s=0.2,
    swap_channels=0.5,
    flip_sign=0.5,
    scale=(0.25, 1.25),
    gain_db=(-6.0, 3.0),
    stem_dropout=0.2,
    lowpass=0.5,
    remix_group=4,
)


def augmentation(**options) -> Augmentation:
    return Augmentation.from_config(AugmentationConfig(**options), RATE)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def stem():
    torch.manual_seed(0)
    return 0.2 * torch.randn(2, 4_096)


def test_by_default_nothing_changes(stem, rng):
    stems = torch.stack([stem, 2 * stem])
    nothing = augmentation()
    assert nothing.needs(4_096) == 4_096
    assert torch.equal(nothing(stems, rng), stems)
    batch = torch.stack([stems, -stems])
    assert torch.equal(nothing.batch(batch, rng), batch)


def test_certainty_means_change_of_every_stem(stem, rng):
    stems = torch.stack([stem, 2 * stem, 3 * stem])
    assert torch.equal(augmentation(flip_sign=1.0)(stems, rng), -stems)
    assert not augmentation(stem_dropout=1.0)(stems, rng).any()


def test_stems_draw_for_themselves(stem):
    stems = stem.expand(16, -1, -1)
    changed = augmentation(flip_sign=0.5)(stems, np.random.default_rng(0))
    flipped = [torch.equal(one, -stem) for one in changed]
    assert 0 < sum(flipped) < 16
    assert all(
        torch.equal(one, stem) for one, other in zip(changed, flipped, strict=True) if not other
    )


def test_the_generator_decides(stem):
    augment = Augmentation.from_config(LIVELY, RATE)
    stems = stem.expand(4, -1, -1)
    one, again, other = (augment(stems, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


@settings(max_examples=20)
@given(length=st.integers(500, 4_000), seed=st.integers(0, 2**32))
def test_what_it_needs_is_enough(length, seed):
    augment = Augmentation.from_config(LIVELY, RATE)
    assert augment.needs(length) == length + 200
    stems = 0.1 * torch.randn(4, 2, length + 200, generator=torch.Generator().manual_seed(seed))
    before = stems.clone()
    changed = augment(stems, np.random.default_rng(seed))
    assert changed.shape == (4, 2, length)
    assert torch.isfinite(changed).all()
    assert torch.equal(stems, before)


def test_the_order_is_the_published_one_with_ours_around_it():
    augment = Augmentation.from_config(LIVELY, RATE)
    kinds = [type(getattr(change, "change", change)).__name__ for change in augment.changes]
    published = ["Shift", "SwapChannels", "FlipSign", "Scale"]
    assert [kind for kind in kinds if kind in published] == published
    colours = ["Varispeed", "Drive", "Tilt", "MakeMono"]
    assert kinds == [*colours, *published, "Gain", "DropStem", "Lowpass"]


def test_every_change_acts_on_what_the_one_before_it_left():
    stems = torch.arange(1, 13, dtype=torch.float32).reshape(1, 2, 6)
    augment = augmentation(shift_s=0.003, swap_channels=1.0, flip_sign=1.0, scale=(0.5, 0.5))
    changed = augment(stems, np.random.default_rng(3))
    start = int(-2 * changed[0, 1, 0]) - 1
    assert torch.equal(changed, -0.5 * stems[..., start : start + 3].flip(1))


def test_a_batch_is_remixed_in_groups(rng):
    batch = torch.arange(8 * 4, dtype=torch.float32).reshape(8, 4, 1, 1)
    remixed = augmentation(remix_group=4).batch(batch, rng)
    assert not torch.equal(remixed, batch)
    for half in (slice(0, 4), slice(4, 8)):
        assert torch.equal(remixed[half].sort(dim=0).values, batch[half])


@pytest.mark.parametrize(
    "options",
    [
        {"flip_sign": 1.5},
        {"scale": (1.25, 0.25)},
        {"scale": (0.0, 1.0)},
        {"gain_db": (3.0, -3.0)},
        {"shift_s": -1.0},
        {"repitch_tempo_limit": 1.0},
        {"remix_group": -1},
    ],
)
def test_what_makes_no_sense_is_refused(options):
    with pytest.raises(ValidationError):
        AugmentationConfig(**options)
