"""A small network that anybody could have written, and the files that it is exported to."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch
import yaml
from torch import Tensor, nn

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FORMATS", "STRIDE", "PlainNetwork", "describe", "export", "plain_network", "trace"]

FORMATS = {"torch_export": "pt2", "torchscript": "ts", "onnx": "onnx"}
STRIDE = 16
SOURCES = ("voice", "band", "noise")


class PlainNetwork(nn.Module):
    """Two channels in, three stems out; every sample depends on the whole segment."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Conv1d(2, 12, 32, STRIDE, 8)
        self.decoder = nn.ConvTranspose1d(12, 6, 32, STRIDE, 8)

    def forward(self, mix: Tensor) -> Tensor:
        level = mix.square().mean((1, 2), keepdim=True).sqrt()
        hidden = torch.tanh(self.encoder(mix / (level + 1e-3)))
        return self.decoder(hidden).unflatten(1, (3, 2)) * level[:, None]


def plain_network() -> PlainNetwork:
    """The network with weights drawn from a fixed seed, ready to separate."""
    torch.manual_seed(0)
    return PlainNetwork().eval().requires_grad_(False)


def export(network: nn.Module, path: Path, *, fixed: int | None = None) -> Path:
    """Write a program in the format of the path's extension.

    Args:
        network: maps [B, 2, T] to stems.
        path: ends in .pt2, .ts or .onnx.
        fixed: the only length that it shall take, one example at a time; None for any number of
            examples and all multiples of the stride from two.
    """
    example = torch.randn(2, 2, 8 * STRIDE) if fixed is None else torch.randn(1, 2, fixed)
    shapes: dict[int, Any] = {}
    if fixed is None:
        shapes[0] = torch.export.Dim("batch", min=1, max=64)
        shapes[2] = STRIDE * torch.export.Dim("steps", min=2, max=4096)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if path.suffix == ".ts":
            return trace(network, example, path)
        program = torch.export.export(network, (example,), dynamic_shapes=(shapes,))
        if path.suffix == ".pt2":
            torch.export.save(program, path)
        else:
            torch.onnx.export(program, f=str(path), dynamo=True, external_data=False, verbose=False)
    return path


def trace(network: nn.Module, example: Tensor, path: Path) -> Path:
    """Write a program of TorchScript that does with any input what it does with the example."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(network, example), str(path))
    return path


def describe(program: Path, **keys: object) -> Path:
    """Write the description of a program beside it, with other keys if need be."""
    description = {
        "file": program.name,
        "sources": list(SOURCES),
        "sample_rate": 44_100,
        "channels": 2,
        "stride": STRIDE,
        "minimum_segment": 2 * STRIDE,
        "licence": "CC0",
        "training": "none",
        **keys,
    }
    path = program.with_suffix(".yaml")
    kept = {key: value for key, value in description.items() if value is not None}
    path.write_text(yaml.safe_dump(kept), encoding="utf-8")
    return path
