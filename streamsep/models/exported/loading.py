"""From a description to a network that has shown once that it is what the description says."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from streamsep.config.network_description import load_network_description
from streamsep.config.network_name import network_name
from streamsep.devices.availability import torch_device
from streamsep.errors import CheckpointError, ConfigError, ModelError
from streamsep.models.exported.exported_network import ExportedNetwork
from streamsep.models.exported.program import open_program
from streamsep.models.file_segments import segment_of_program
from streamsep.models.loaded_model import LoadedModel
from streamsep.models.trial import try_silence

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from streamsep.config.network_description import NetworkDescription
    from streamsep.models.exported.program import Program

__all__ = ["load_described"]


def load_described(path: Path, device: str | torch.device = "cpu") -> LoadedModel:
    """Load a network that a YAML file describes.

    Args:
        path: the description; the program lies where it says, relative to it.
        device: where the network shall run.

    Returns:
        The network, after it has separated a little silence as described.

    Raises:
        ConfigError: the description cannot be read, or the device cannot be used.
        CheckpointError: the program is missing, damaged, unsafe or not the one described.
        ModelError: the program fails, or gives something else than described.
        MissingToolError: the program needs a package that is not installed.
    """
    description = load_network_description(path)
    if description.kind is None:
        raise ConfigError(
            f"{path}: what kind of program is '{description.file}'? Say it with the key 'format': "
            "torch_export, torchscript or onnx"
        )
    file = path.parent / description.file
    _check_sum(file, description.sha256)
    device = torch_device(device)
    program = open_program(file, description.kind, device)
    _check_length(program, description, path)
    network = ExportedNetwork(program, description, str(path))
    shortest = network.lengths.shortest
    # A program that takes one length or one example only, and was not said to, shows it here.
    lengths = [shortest] if description.fixed_segment else [shortest, shortest + network.stride]
    for length in lengths:
        try_silence(network, length, device, name=str(path), batch=1 + description.batches)
    return LoadedModel(
        separator=network,
        name=network_name(path),
        path=path,
        licence=description.licence,
        segment=description.segment or segment_of_program(network.lengths, network.sample_rate),
        device=device,
        longest_context=description.longest_context,
        member_files=(file,),
    )


def _check_sum(file: Path, expected: str | None) -> None:
    if expected is None:
        return
    try:
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read ({error.strerror or error})") from error
    if found != expected:
        raise CheckpointError(
            f"{file}: SHA-256 is {found}, the description expects {expected}; fetch the file again"
        )


def _check_length(program: Program, description: NetworkDescription, path: Path) -> None:
    """Compare the lengths with what the program itself says of its input, where it says it.

    Raises:
        ModelError: they contradict each other.
    """
    shape = program.input_shape
    if shape is None:
        return
    if len(shape) != len(description.input):
        raise ModelError(
            f"{path}: the program takes {len(shape)} dimensions, expected the "
            f"{len(description.input)} of 'input' ({description.input}); correct 'input'"
        )
    taken = dict(zip(description.input, shape, strict=True))
    length = taken["T"]
    if length is not None and length != description.fixed_segment:
        raise ModelError(
            f"{path}: the program takes {length} samples and no other number, but 'fixed_segment' "
            f"is {description.fixed_segment or 'missing'}; write 'fixed_segment: {length}', or "
            "export it with a length that may vary"
        )
    if description.batches and taken["B"] is not None:
        raise ModelError(
            f"{path}: 'batches' is true, but the program takes {taken['B']} examples and no other "
            "number; leave 'batches' out, or export it with a batch that may vary"
        )
