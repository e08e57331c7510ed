"""From a network to a program of `torch.export` and its description.

The program takes one length: layers that count their steps are unrolled for it. What it computes is
compared with the network before it gets its name.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from typing import TYPE_CHECKING

import torch
from torch import Tensor, fx, nn

from streamsep.config.network_description import NetworkDescription, save_network_description
from streamsep.errors import ConfigError, ModelError, OutputError
from streamsep.models.exported.exported_network import ExportedNetwork
from streamsep.models.exported.torch_export_program import TorchExportProgram
from streamsep.whole_file import whole_file

if TYPE_CHECKING:
    from pathlib import Path

    from torch.export import ExportedProgram

    from streamsep.models.loaded_model import LoadedModel

__all__ = ["description_path", "export_network"]

_LARGEST_DIFFERENCE = 1e-4
"""Of a program from its network, as a share of the RMS. Bits may differ, sounds may not."""


def description_path(path: Path) -> Path:
    """Where the description of a program lies: beside it.

    Raises:
        ConfigError: the name is not that of such a program.
    """
    if path.suffix != ".pt2":
        raise ConfigError(f"'{path}' should end in .pt2, the one format that networks go out to")
    return path.with_suffix(".yaml")


def export_network(model: LoadedModel, path: Path, *, segment: int, training: str) -> float:
    """Write a network as a program, and its description beside it; older ones are replaced.

    Neither gets its name before both are whole.

    Args:
        model: a single network, on the CPU.
        path: the program, a name that ends in .pt2.
        segment: the one length that the program will take, a multiple of the network's stride.
        training: what the network was trained on.

    Returns:
        The largest difference between the program and the network on a segment of noise, as a
        share of the RMS.

    Raises:
        ConfigError: the name, the length or the network cannot be used.
        ModelError: the network cannot be exported.
        OutputError: a file cannot be written.
    """
    note_path = description_path(path)
    if segment % model.stride or segment < model.stride:
        raise ConfigError(
            f"a segment of {segment} samples is no multiple of the stride of '{model.name}', "
            f"{model.stride}"
        )
    network = model.separator
    if not isinstance(network, nn.Module):
        raise ConfigError(
            f"'{model.name}' is no single network of ours but a {type(network).__name__}; export "
            "the members of a bag one by one"
        )
    mix = 0.1 * torch.randn(1, model.channels, segment, generator=torch.Generator().manual_seed(0))
    try:
        if path.is_dir():
            raise IsADirectoryError(None, "there is a directory of this name")
        with whole_file(path) as part, whole_file(note_path) as note:
            # Opened first: exporting takes a while, and would be in vain.
            with part.open("wb") as stream:
                stream.write(_saved(_exported(network, mix, model.name)))
            description = _described(model, path.name, part, segment, training)
            difference = _compared(network, part, description, mix)
            save_network_description(description, note)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    return difference


def _described(
    model: LoadedModel, name: str, program: Path, segment: int, training: str
) -> NetworkDescription:
    """What has to be known of the program, which will have this name."""
    return NetworkDescription(
        file=name,
        format="torch_export",
        description=f"'{model.name}', exported by streamsep",
        sources=model.sources,
        sample_rate=model.sample_rate,
        channels=model.channels,
        stride=model.stride,
        fixed_segment=segment,
        longest_context=model.longest_context,
        licence=model.licence,
        training=training,
        sha256=hashlib.sha256(program.read_bytes()).hexdigest(),
    )


def _exported(network: nn.Module, mix: Tensor, name: str) -> ExportedProgram:
    try:
        with warnings.catch_warnings():
            # About the LSTM's own list of its weights, which the program does not need.
            warnings.simplefilter("ignore", UserWarning)
            program = torch.export.export(network, (mix,))
    except Exception as error:
        # What torch cannot trace it says with all kinds of errors, and at length.
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ModelError(f"'{name}' cannot be exported by this torch ({reason:.200})") from error
    for module in program.graph_module.modules():
        if isinstance(module, fx.GraphModule):
            for node in module.graph.nodes:
                # Names files of this machine, and is in nobody else's interest.
                node.meta.pop("stack_trace", None)
    return program


def _saved(program: ExportedProgram) -> memoryview:
    """The bytes of a program's file."""
    # torch's own writer ends the process where the disk is full; memory it does not run out of.
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    return buffer.getbuffer()


def _compared(
    network: nn.Module, file: Path, description: NetworkDescription, mix: Tensor
) -> float:
    """The largest difference between network and program, as a share of the RMS.

    Raises:
        ModelError: it can be heard.
    """
    program = ExportedNetwork(TorchExportProgram(file, mix.device), description, str(file))
    with torch.inference_mode():
        expected = network(mix)
        largest = (program(mix) - expected).abs().max()
    difference = float(largest / expected.square().mean().sqrt().clamp(min=1e-8))
    if not difference < _LARGEST_DIFFERENCE:
        raise ModelError(
            f"the exported program differs from its network by {difference:.1g} of the RMS, "
            f"expected less than {_LARGEST_DIFFERENCE:.0e}; nothing was written"
        )
    return difference
