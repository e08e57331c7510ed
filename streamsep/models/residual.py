"""The residual branches of Hybrid Demucs: compressed, dilated convolutions that look along time.

Paper, section "Compressed residual branches" and Figure 2b. Each branch squeezes the channels by a
factor, looks along time at a growing dilation, and is added back through a small learnt gain. The
two innermost encoder layers put a bidirectional LSTM and a local attention into the branch::

    x ─┬─ conv3 (C → C/4, dilation 2^d) ─ norm ─ GELU ─ [BLSTM] ─ [attention] ─┐
       │                                                                       │
       └─(+)─ LayerScale ─ GLU ─ norm ─ conv1 (C/4 → 2C) ──────────────────────┘

What the paper calls LayerNorm is a GroupNorm with one group: mean and variance over channels and
time together. The positions in the `Sequential` are those of published checkpoints.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from streamsep.errors import ConfigError

__all__ = ["BLSTM", "LayerScale", "LocalAttention", "ResidualBranches"]


class LayerScale(nn.Module):
    """A learnt gain per channel that starts near zero, so that a branch starts near identity.

    Source: Touvron et al., "Going deeper with image transformers" (2021), section 2.
    """

    def __init__(self, channels: int, init: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels,), init))

    def forward(self, x: Tensor) -> Tensor:
        """Scale x [B, C, T]."""
        # In x's own type: a float32 gain would lift every later tensor of a bf16 pass to float32.
        return self.scale[:, None].to(x.dtype) * x


class BLSTM(nn.Module):
    """Bidirectional LSTM layers and a linear one, if need be over windows of bounded length.

    A sequence longer than `window` is cut into windows that overlap by half; of each window only
    the middle is kept, so every kept step has at least a quarter window of memory on both sides
    (the first and the last window also keep their outer ends).

    Args:
        channels: channels C of input and output.
        layers: number of LSTM layers.
        window: longest sequence seen at once, a multiple of 4; None for no limit.
        skip: add the input to the output.
    """

    def __init__(
        self, channels: int, *, layers: int = 2, window: int | None = 200, skip: bool = True
    ) -> None:
        super().__init__()
        self.window = window
        self.skip = skip
        self.lstm = nn.LSTM(channels, channels, num_layers=layers, bidirectional=True)
        self.linear = nn.Linear(2 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [B, C, T] to the same shape."""
        if self.window is None or x.shape[-1] <= self.window:
            y = self._run(x)
        else:
            y = self._run_in_windows(x, self.window)
        return x + y if self.skip else y

    def _run(self, x: Tensor) -> Tensor:
        y = self.linear(self.lstm(x.permute(2, 0, 1))[0])
        return torch.as_tensor(y.permute(1, 2, 0))

    def _run_in_windows(self, x: Tensor, window: int) -> Tensor:
        batch, channels, length = x.shape
        stride, margin = window // 2, window // 4
        count = math.ceil(length / stride)
        padded = F.pad(x, (0, (count - 1) * stride + window - length))
        windows = padded.unfold(-1, window, stride).transpose(1, 2)
        y = self._run(windows.reshape(batch * count, channels, window))
        y = y.reshape(batch, count, channels, window)
        middles = y[..., margin:-margin].transpose(1, 2).reshape(batch, channels, -1)
        return torch.cat([y[:, 0, :, :margin], middles, y[:, -1, :, -margin:]], dim=-1)[
            ..., :length
        ]


class LocalAttention(nn.Module):
    """Attention along time that learns how fast to forget with distance, with a skip connection.

    Paper, section "Local attention": no positional embedding; a penalty that grows with the
    distance between query and key, at four rates whose strength each query chooses. A step does
    not attend to itself.

    Args:
        channels: channels C of input and output, a multiple of 4.

    Raises:
        ConfigError: the heads cannot share the channels.
    """

    HEADS = 4
    DECAYS = 4

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels % self.HEADS:
            raise ConfigError(
                f"attention over {channels} channels, which its {self.HEADS} heads cannot share; "
                "change the channels of the network or how much its residual branches compress"
            )
        self.content = nn.Conv1d(channels, channels, 1)
        self.query = nn.Conv1d(channels, channels, 1)
        self.key = nn.Conv1d(channels, channels, 1)
        self.query_decay = nn.Conv1d(channels, self.HEADS * self.DECAYS, 1)
        self.proj = nn.Conv1d(channels, channels, 1)
        # Weak decays at first: the widest view, and no query prefers a rate yet.
        with torch.no_grad():
            self.query_decay.weight.mul_(0.01)
            assert self.query_decay.bias is not None
            self.query_decay.bias.fill_(-2.0)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [B, C, T] to the same shape."""
        batch, _, length = x.shape
        per_head = (batch, self.HEADS, -1, length)
        query, key = self.query(x).view(per_head), self.key(x).view(per_head)
        scores = torch.einsum("bhct,bhcs->bhts", key, query) / key.shape[2] ** 0.5
        scores = scores - self._penalty(self.query_decay(x).view(per_head))
        itself = torch.eye(length, dtype=torch.bool, device=x.device)
        weights = torch.softmax(scores.masked_fill(itself, -100.0), dim=2)
        result = torch.einsum("bhts,bhct->bhcs", weights, self.content(x).view(per_head))
        return torch.as_tensor(x + self.proj(result.reshape(batch, -1, length)))

    def _penalty(self, decay: Tensor) -> Tensor:
        """How much each key [t] is held against each query [s]: [B, heads, t, s]."""
        steps = torch.arange(decay.shape[-1], device=decay.device, dtype=decay.dtype)
        distance = (steps[:, None] - steps[None, :]).abs()
        rates = torch.arange(1, self.DECAYS + 1, device=decay.device, dtype=decay.dtype)
        strength = (torch.sigmoid(decay) / 2 * rates[:, None]).sum(2) / self.DECAYS**0.5
        penalty: Tensor = distance * strength[:, :, None, :]
        return penalty


class ResidualBranches(nn.Module):
    """The stack of residual branches that follows an encoder layer's first convolution.

    Args:
        channels: channels C of the layer.
        depth: number of branches, with dilation 1, 2, 4, ...; a negative depth means that many
            branches without dilation.
        compress: factor by which a branch squeezes the channels.
        layer_scale: initial gain of a branch.
        lstm: put a `BLSTM` into every branch.
        attention: put a `LocalAttention` into every branch.

    Raises:
        ConfigError: a branch would have no channels, or attention not a multiple of 4.
    """

    def __init__(
        self,
        channels: int,
        *,
        depth: int,
        compress: float,
        layer_scale: float,
        lstm: bool,
        attention: bool,
    ) -> None:
        super().__init__()
        squeezed = int(channels / compress)
        if squeezed < 1:
            raise ConfigError(
                f"residual branches that squeeze {channels} channels by {compress:g} have none "
                "left, expected a factor of at most the channels"
            )
        self.layers = nn.ModuleList()
        for index in range(abs(depth)):
            dilation = 2**index if depth > 0 else 1
            branch: list[nn.Module] = [
                nn.Conv1d(channels, squeezed, 3, dilation=dilation, padding=dilation),
                nn.GroupNorm(1, squeezed),
                nn.GELU(),
            ]
            if lstm:
                branch.append(BLSTM(squeezed))
            if attention:
                branch.append(LocalAttention(squeezed))
            branch += [
                nn.Conv1d(squeezed, 2 * channels, 1),
                nn.GroupNorm(1, 2 * channels),
                nn.GLU(dim=1),
                LayerScale(channels, layer_scale),
            ]
            self.layers.append(nn.Sequential(*branch))

    def forward(self, x: Tensor) -> Tensor:
        """Map x [B, C, T] to the same shape."""
        for branch in self.layers:
            x = x + branch(x)
        return x
