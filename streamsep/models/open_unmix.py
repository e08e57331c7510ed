"""Open-Unmix: an LSTM over magnitude spectrograms, one per stem, and a Wiener filter.

Stöter et al., "Open-Unmix – A Reference Implementation for Music Source Separation" (2019). Of the
mixture only the magnitudes up to 16 kHz are looked at, frame by frame; three bidirectional LSTM
layers connect the frames. What comes out is a gain for every bin of the mixture's magnitudes::

    |X| ─┬─ scale ─ fc1 ─ norm ─ tanh ─┬─ BLSTM ×3 ─(cat)─ fc2 ─ norm ─ ReLU ─┐
         │                             └──────────────┘                       │
         └────────────────── |S| ─(×)─ ReLU ─ scale ─ norm ─ fc3 ─────────────┘

Every stem has such a network of its own. The Wiener filter then finds the phases. The names of the
weights are those of the package openunmix, but for stems whose names torch refuses (`stem_key`);
`weights_from_openunmix` drops what they hold beside.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from streamsep.audio.inverse_stft import inverse_stft
from streamsep.errors import ConfigError
from streamsep.models.network import NetworkConfig, SeparationNetwork, check_least
from streamsep.models.wiener import wiener_filter

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OpenUnmix", "OpenUnmixConfig", "stem_key", "weights_from_openunmix"]

_DROPOUT = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenUnmixConfig(NetworkConfig):
    """Everything that decides the shape of an `OpenUnmix`. The defaults are those of UMX and UMXHQ.

    Attributes:
        n_fft: window of the STFT in samples, an even number.
        hop: samples from one STFT frame to the next.
        bandwidth: highest frequency that the networks look at, in Hz.
        hidden: width of the networks, an even number; UMX-L has 1024.
        lstm_layers: layers of the LSTM.
        bidirectional: False for LSTMs that do not look ahead.
        wiener_iterations: rounds of the Wiener filter; 0 takes the mixture's phase. Training, too,
            takes the mixture's phase.
        wiener_residual: filter with one stem more for what belongs to none.
    """

    n_fft: int = 4096
    hop: int = 1024
    bandwidth: float = 16_000.0
    hidden: int = 512
    lstm_layers: int = 3
    bidirectional: bool = True
    wiener_iterations: int = 1
    wiener_residual: bool = False

    def __post_init__(self) -> None:
        NetworkConfig.__post_init__(self)
        least = {"n_fft": 2, "hop": 1, "bandwidth": 0, "hidden": 2, "lstm_layers": 1}
        check_least(self, {**least, "wiener_iterations": 0})
        if self.n_fft % 2 or self.hidden % 2:
            raise ConfigError(f"n_fft and hidden must be even, got {self.n_fft} and {self.hidden}")
        if self.hop > self.n_fft // 2:
            raise ConfigError(
                f"hop must be at most half of n_fft={self.n_fft}, or the frames would not add up "
                f"to the signal, got {self.hop}"
            )

    @property
    def bins(self) -> int:
        """Frequency bins of a spectrogram."""
        return self.n_fft // 2 + 1

    @property
    def bins_seen(self) -> int:
        """Frequency bins, from the lowest, that the networks look at."""
        return min(self.bins, math.floor(self.bandwidth * self.n_fft / self.sample_rate) + 1)


class OpenUnmix(SeparationNetwork[OpenUnmixConfig]):
    """Open-Unmix as a `Separator`: stateless, [B, C, T] in, [B, S, C, T] out.

    Args:
        config: the shape of the network; weights start random.
    """

    def __init__(self, config: OpenUnmixConfig | None = None) -> None:
        super().__init__(config := config or OpenUnmixConfig())
        self.target_models = nn.ModuleDict(
            {stem_key(name): _StemModel(config) for name in config.sources}
        )

    @property
    def stride(self) -> int:
        """Samples by which a segment can move without changing how the network sees it."""
        return self.config.hop

    def _samples_per_step(self) -> int:
        return self.config.n_fft

    def forward(self, mix: Tensor) -> Tensor:
        """Separate a mixture.

        Args:
            mix: waveforms [B, C, T], any T from 1.

        Returns:
            The stems [B, S, C, T].
        """
        mixture = self._spectrogram(mix)
        magnitudes = self.magnitudes(mixture.abs())
        with torch.autocast(mix.device.type, enabled=False):
            stems = wiener_filter(
                magnitudes.to(mix.dtype),
                mixture,
                iterations=0 if self.training else self.config.wiener_iterations,
                residual=self.config.wiener_residual,
            )
            return self._waveforms(stems, mix.shape[-1])

    def magnitudes(self, mixture: Tensor) -> Tensor:
        """Estimate the stems' magnitudes; the network's own training compares these.

        Args:
            mixture: magnitudes [B, C, F, N].

        Returns:
            Magnitudes [B, S, C, F, N].
        """
        return torch.stack([model(mixture) for model in self.target_models.values()], dim=1)

    def _spectrogram(self, x: Tensor) -> Tensor:
        """From waveforms [B, C, T] to complex [B, C, F, N] with N = 1 + ⌊T / hop⌋."""
        # Reflection needs more than it reflects.
        x = F.pad(x, (0, max(0, self.config.n_fft // 2 + 1 - x.shape[-1])))
        with torch.autocast(x.device.type, enabled=False):
            z = torch.stft(
                x.flatten(0, 1),
                self.config.n_fft,
                self.config.hop,
                window=self._window(x),
                return_complex=True,
            )
        return z.reshape(*x.shape[:2], *z.shape[1:])

    def _waveforms(self, z: Tensor, length: int) -> Tensor:
        """From complex [B, S, C, F, N] to waveforms [B, S, C, length]."""
        x = inverse_stft(z.flatten(0, 2), self._window(z.real), self.config.hop, length)
        return x.reshape(*z.shape[:3], length)

    def _window(self, like: Tensor) -> Tensor:
        return torch.hann_window(self.config.n_fft, device=like.device, dtype=like.dtype)


class _StemModel(nn.Module):
    """The network of one stem, from the mixture's magnitudes to the stem's."""

    def __init__(self, config: OpenUnmixConfig) -> None:
        super().__init__()
        channels, hidden = config.audio_channels, config.hidden
        self.input_mean = nn.Parameter(torch.zeros(config.bins_seen))
        self.input_scale = nn.Parameter(torch.ones(config.bins_seen))
        self.fc1 = nn.Linear(channels * config.bins_seen, hidden, bias=False)
        self.bn1 = _FrameNorm(hidden)
        self.lstm = nn.LSTM(
            hidden,
            hidden // 2 if config.bidirectional else hidden,
            num_layers=config.lstm_layers,
            bidirectional=config.bidirectional,
            dropout=_DROPOUT if config.lstm_layers > 1 else 0.0,
        )
        self.fc2 = nn.Linear(2 * hidden, hidden, bias=False)
        self.bn2 = _FrameNorm(hidden)
        self.fc3 = nn.Linear(hidden, channels * config.bins, bias=False)
        self.bn3 = _FrameNorm(channels * config.bins)
        self.output_scale = nn.Parameter(torch.ones(config.bins))
        self.output_mean = nn.Parameter(torch.ones(config.bins))

    def forward(self, mixture: Tensor) -> Tensor:
        """Map magnitudes [B, C, F, N] to the same shape."""
        frames = mixture.permute(3, 0, 1, 2)
        x = (frames[..., : len(self.input_mean)] + self.input_mean) * self.input_scale
        x = torch.tanh(self.bn1(self.fc1(x.flatten(2))))
        x = torch.cat([x, self.lstm(x)[0]], dim=-1)
        x = F.relu(self.bn2(self.fc2(x)))
        x = self.bn3(self.fc3(x)).reshape(frames.shape)
        gain = F.relu(x * self.output_scale + self.output_mean)
        return (gain * frames).permute(1, 2, 3, 0)


class _FrameNorm(nn.Module):
    """Batch normalisation over frames and examples, [N, B, D] to the same shape.

    It is torch's but for its count of batches, which says nothing once there is a momentum, and
    which, being a whole number, can neither be averaged nor stored as half.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        y = F.batch_norm(
            x.flatten(0, 1),
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            training=self.training,
        )
        return y.reshape(x.shape)


def stem_key(name: str) -> str:
    """What a stem's network is called among the weights: as the stem, wherever torch allows that.

    It does not where its modules have something else of that name, such as "keys" or "type", or
    where there is a dot in it. A colon tells these from all names that stems can have.
    """
    if "." in name or hasattr(nn.ModuleDict(), name):
        return f"stem:{name.replace('.', ':')}"
    return name


def weights_from_openunmix(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of openunmix' `Separator` as an `OpenUnmix` takes them.

    Args:
        weights: the state dict of a `Separator`. Published files hold one stem each: put
            ``target_models.vocals.`` before the names in the file of the vocals, and so on.
    """
    beside = ("window", "sample_rate", "num_batches_tracked")
    return {name: weight for name, weight in weights.items() if name.split(".")[-1] not in beside}
