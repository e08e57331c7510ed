"""Networks for which no reference package exists, written out in numpy, one example at a time.

Double precision, no padding helpers, no modules: only sums over windows. `weights` are a state
dict, x is always [C, T].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from streamsep.models.conv_tasnet import ConvTasNetConfig
    from streamsep.models.demucs_v1_v2 import DemucsV1Config
    from streamsep.models.wave_u_net import WaveUNetConfig

    Array = NDArray[np.float64]

__all__ = ["conv_tasnet", "upsampling_demucs", "wave_u_net"]


class Weights:
    """A state dict as arrays, with the layers that are made of them."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        self._arrays = {name: value.double().numpy() for name, value in state.items()}

    def __getitem__(self, name: str) -> Array:
        return self._arrays[name]

    def convolve(self, name: str, x: Array, stride: int = 1) -> Array:
        """The convolution called `name`, without padding."""
        weight = self[f"{name}.weight"]
        windows = sliding_window_view(x, weight.shape[-1], axis=1)[:, ::stride]
        y = np.einsum("ock,ctk->ot", weight, windows)
        bias = self._arrays.get(f"{name}.bias")
        return y if bias is None else y + bias[:, None]


def _middle(x: Array, length: int) -> Array:
    start = (x.shape[1] - length) // 2
    return x[:, start : start + length]


def _glu(x: Array) -> Array:
    value, gate = np.split(x, 2)
    return value / (1 + np.exp(-gate))


def _leaky(x: Array) -> Array:
    return np.where(x > 0, x, 0.2 * x)


def upsampling_demucs(state: Mapping[str, Tensor], mix: Array, config: DemucsV1Config) -> Array:
    """Demucs v1 with interpolation for transposed convolutions and without LSTM; [S·C, T']."""
    weights = Weights(state)
    x, skips = mix, []
    for layer in range(config.depth):
        x = np.maximum(weights.convolve(f"encoder.{layer}.0", x), 0)
        x = _glu(weights.convolve(f"encoder.{layer}.2", x))
        skips.append(x)
        x = x[:, :: config.stride]
    for layer in range(config.depth):
        steps = np.arange(x.shape[1])
        places = np.arange((x.shape[1] - 1) * config.stride) / config.stride
        x = np.stack([np.interp(places, steps, channel) for channel in x])
        x = x + _middle(skips.pop(), x.shape[1])
        x = _glu(weights.convolve(f"decoder.{layer}.0", x))
        x = weights.convolve(f"decoder.{layer}.2", x)
        if layer < config.depth - 1:
            x = np.maximum(x, 0)
    return weights.convolve("final", np.concatenate([x, _middle(mix, x.shape[1])]))


def wave_u_net(state: Mapping[str, Tensor], mix: Array, config: WaveUNetConfig) -> Array:
    """Wave-U-Net with half-way interpolation, all but the last stem; [(S − 1)·C, T']."""
    weights = Weights(state)
    x, skips = mix, []
    for level in range(config.levels):
        x = _leaky(weights.convolve(f"down.{level}", x))
        skips.append(x)
        x = x[:, ::2]
    x = _leaky(weights.convolve("bottleneck", x))
    for level in range(config.levels):
        steps = np.arange(x.shape[1])
        places = np.arange(2 * x.shape[1] - 1) / 2
        x = np.stack([np.interp(places, steps, channel) for channel in x])
        x = np.concatenate([_middle(skips.pop(), x.shape[1]), x])
        x = _leaky(weights.convolve(f"up.{level}", x))
    return np.tanh(weights.convolve("output", np.concatenate([_middle(mix, x.shape[1]), x])))


def conv_tasnet(state: Mapping[str, Tensor], mix: Array, config: ConvTasNetConfig) -> Array:
    """Conv-TasNet on a mix of whole hops; [S, C, T]."""
    weights = Weights(state)
    hop = config.filter_length // 2
    features = np.maximum(weights.convolve("encoder.conv1d_U", mix, stride=hop), 0)
    x = _normalise(weights, "separator.network.0", features, axis=0)
    x = weights.convolve("separator.network.1", x)
    for repeat in range(config.repeats):
        for block in range(config.blocks):
            x = x + _block(weights, f"separator.network.2.{repeat}.{block}.net", x, 2**block)
    masks = np.maximum(weights.convolve("separator.network.3", x), 0)
    masks = masks.reshape(len(config.sources), *features.shape)
    frames = np.einsum("on,snk->sok", weights["decoder.basis_signals.weight"], masks * features)
    frames = frames.reshape(len(config.sources), config.audio_channels, config.filter_length, -1)
    stems = np.zeros((*frames.shape[:2], mix.shape[1]))
    for index in range(frames.shape[-1]):
        stems[..., index * hop : index * hop + config.filter_length] += frames[..., index]
    return stems


def _block(weights: Weights, name: str, x: Array, dilation: int) -> Array:
    y = _prelu(weights[f"{name}.1.weight"], weights.convolve(f"{name}.0", x))
    y = _normalise(weights, f"{name}.2", y, axis=None)
    kernel = weights[f"{name}.3.net.0.weight"][:, 0]
    reach = kernel.shape[1] // 2 * dilation
    padded = np.pad(y, ((0, 0), (reach, reach)))
    taps = [
        kernel[:, [tap]] * padded[:, tap * dilation : tap * dilation + y.shape[1]]
        for tap in range(kernel.shape[1])
    ]
    y = _prelu(weights[f"{name}.3.net.1.weight"], np.sum(taps, axis=0))
    y = _normalise(weights, f"{name}.3.net.2", y, axis=None)
    return weights.convolve(f"{name}.3.net.3", y)


def _prelu(slope: Array, x: Array) -> Array:
    return np.where(x > 0, x, slope * x)


def _normalise(weights: Weights, name: str, x: Array, axis: int | None) -> Array:
    deviation = np.sqrt(x.var(axis=axis, keepdims=True) + 1e-8)
    scaled = (x - x.mean(axis=axis, keepdims=True)) / deviation
    return weights[f"{name}.gamma"][0] * scaled + weights[f"{name}.beta"][0]
