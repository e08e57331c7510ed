"""Errors are means over samples, then over sources, at the level of the mixture."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from streamsep.config.training import LossConfig
from streamsep.errors import ConfigError
from streamsep.training.loss import Criterion, absolute_error, rms_error, squared_error

STEMS = ("drums", "bass", "other", "vocals")
KINDS = ("l1", "mse", "rms")


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def loss_of(estimate: torch.Tensor, stems: torch.Tensor, **options: object) -> torch.Tensor:
    return Criterion(LossConfig(**options), STEMS)(estimate, stems)


def test_each_kind_is_what_it_says():
    stems, error = noise(0, 3, 4, 2, 100), noise(1, 3, 4, 2, 100)
    expected = {
        "l1": error.abs().mean((1, 2, 3)),
        "mse": error.square().mean((1, 2, 3)),
        "rms": error.square().mean((2, 3)).sqrt().mean(1),
    }
    for kind, value in expected.items():
        loss = loss_of(stems + error, stems, kind=kind, relative=False)
        torch.testing.assert_close(loss, value, rtol=1e-4, atol=1e-5)


def test_kinds_add_up_by_their_weights():
    stems, estimate = noise(0, 2, 4, 2, 50), noise(1, 2, 4, 2, 50)
    l1, rms = (loss_of(estimate, stems, kind=kind) for kind in ("l1", "rms"))
    both = loss_of(estimate, stems, kind={"l1": 0.2, "rms": 0.8})
    torch.testing.assert_close(both, 0.2 * l1 + 0.8 * rms)


@given(gain=st.floats(0.01, 100), kind=st.sampled_from(KINDS))
def test_the_loss_is_relative_to_the_mixtures_level(gain, kind):
    stems, estimate = noise(0, 2, 4, 2, 50), noise(1, 2, 4, 2, 50)
    plain = loss_of(estimate, stems, kind=kind, mixture=0.3)
    louder = loss_of(gain * estimate, gain * stems, kind=kind, mixture=0.3)
    torch.testing.assert_close(louder, plain, rtol=1e-3, atol=1e-5)


def test_an_absolute_loss_is_not():
    stems, estimate = noise(0, 2, 4, 2, 50), noise(1, 2, 4, 2, 50)
    plain = loss_of(estimate, stems, relative=False)
    torch.testing.assert_close(loss_of(3 * estimate, 3 * stems, relative=False), 3 * plain)


def test_sources_count_by_their_weights():
    stems = noise(0, 1, 4, 2, 100)
    estimate = stems.clone()
    estimate[:, 3] += 1.0
    for weight, expected in ((1.0, 0.25), (3.0, 0.5), (0.0, 0.0)):
        loss = loss_of(estimate, stems, relative=False, source_weights={"vocals": weight})
        assert float(loss) == pytest.approx(expected)


@pytest.mark.parametrize(
    "weights", [{"drum": 1.0}, dict.fromkeys(STEMS, 0.0)], ids=["unknown", "all 0"]
)
def test_weights_that_cannot_be_are_refused(weights):
    with pytest.raises(ConfigError, match="source_weights"):
        Criterion(LossConfig(source_weights=weights), STEMS)


def test_the_mixtures_error_sees_what_the_stems_lack_together():
    stems = noise(0, 1, 4, 2, 100)
    estimate = stems.clone()
    estimate[:, 0] += 1.0
    estimate[:, 1] -= 1.0
    balanced = loss_of(estimate, stems, relative=False, mixture=1.0)
    torch.testing.assert_close(balanced, loss_of(estimate, stems, relative=False))
    estimate[:, 1] += 2.0
    lacking = loss_of(estimate, stems, relative=False, mixture=1.0)
    assert float(lacking) == pytest.approx(0.5 + 2.0, rel=1e-5)


@given(st.sampled_from(KINDS), st.integers(1, 99))
def test_samples_without_weight_do_not_count(kind, length):
    stems, estimate = noise(0, 2, 4, 2, 100), noise(1, 2, 4, 2, 100)
    weight = torch.zeros(2, 100)
    weight[:, :length] = 0.5
    criterion = Criterion(LossConfig(kind=kind, relative=False, mixture=0.2), STEMS)
    counted = criterion(estimate, stems, weight)
    cut = criterion(estimate[..., :length], stems[..., :length])
    torch.testing.assert_close(counted, cut, rtol=1e-4, atol=1e-6)


def test_every_example_has_weights_of_its_own():
    stems, estimate = noise(0, 2, 4, 2, 8), noise(1, 2, 4, 2, 8)
    weight = torch.tensor([[1.0] * 4 + [0.0] * 4, [0.0] * 4 + [1.0] * 4])
    criterion = Criterion(LossConfig(relative=False), STEMS)
    first, second = criterion(estimate, stems, weight)
    torch.testing.assert_close(first, (estimate - stems)[0, ..., :4].abs().mean())
    torch.testing.assert_close(second, (estimate - stems)[1, ..., 4:].abs().mean())


@pytest.mark.parametrize("kind", KINDS)
def test_silence_separated_perfectly_has_a_gradient(kind):
    estimate = torch.zeros(1, 4, 2, 10, requires_grad=True)
    loss = loss_of(estimate, torch.zeros(1, 4, 2, 10), kind=kind, mixture=1.0)
    loss.sum().backward()
    assert estimate.grad is not None
    assert estimate.grad.isfinite().all()


def test_errors_keep_the_axes_before_channels_and_samples():
    difference = noise(0, 3, 4, 2, 10)
    for error in (absolute_error, squared_error, rms_error):
        assert error(difference).shape == (3, 4)
