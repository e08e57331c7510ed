"""The network that a run begins with, or goes on with."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import torch

from streamsep.devices.out_of_memory import is_out_of_memory
from streamsep.errors import CheckpointError, ConfigError
from streamsep.models import load_model
from streamsep.models.architectures import architecture_of, build_network, find_architecture
from streamsep.models.checkpoints.option_limits import check_config
from streamsep.models.network import SeparationNetwork

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.config.training import NetworkChoice, TrainingConfig
    from streamsep.models.architectures import Network
    from streamsep.training.checkpoint import Checkpoint

__all__ = ["first_network", "network_of"]


def first_network(config: TrainingConfig) -> tuple[Network, str | None]:
    """The network of a new run: random weights by the seed, or those of the one to start from.

    Returns:
        The network, and the licence of the one to start from, None without one.

    Raises:
        ConfigError: no such network can be built, or the one to start from cannot be trained.
        ModelError: the one to start from is not there or damaged.
    """
    torch.manual_seed(config.seed)
    if config.network is not None:
        return _built(config.network), None
    assert config.start_from is not None
    model = load_model(config.start_from)
    loaded = model.separator
    try:
        architecture = architecture_of(loaded)
    except ConfigError as error:
        raise ConfigError(f"cannot start from '{config.start_from}': {error}") from None
    assert isinstance(loaded, SeparationNetwork)
    # A new network, not the loaded one: that one's weights are frozen, perhaps shared.
    network = architecture.build(asdict(loaded.config))
    network.load_state_dict(loaded.state_dict())
    return network, model.licence


def _built(choice: NetworkChoice) -> Network:
    """A network with random weights whose file will be one that can be loaded."""
    architecture = find_architecture(choice.architecture)
    options = asdict(architecture.configure(choice.options))
    try:
        check_config(options, architecture.name)
    except CheckpointError as error:
        raise ConfigError(f"no file could hold this network: {error}") from None
    return architecture.build(choice.options)


def network_of(checkpoint: Checkpoint, path: Path, config: TrainingConfig) -> Network:
    """The network of a run that goes on, with the weights it had.

    Args:
        checkpoint: of the run.
        path: where it lies, for messages.
        config: which must not ask for another network.

    Raises:
        CheckpointError: it does, or the checkpoint contradicts itself.
        ConfigError: no such network can be built.
    """
    if config.network is not None:
        _compare(checkpoint, path, config.network)
    try:
        network = build_network(checkpoint.architecture, checkpoint.options)
        network.load_state_dict(checkpoint.weights)
    except (ConfigError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        reason = str(error).partition("\n")[0]
        raise CheckpointError(
            f"{path} does not hold the weights of its own network ({reason:.120}); "
            "take another --out, or rename it"
        ) from error
    return network


def _compare(checkpoint: Checkpoint, path: Path, choice: NetworkChoice) -> None:
    wanted = asdict(find_architecture(choice.architecture).configure(choice.options))
    wanted["architecture"] = choice.architecture
    found = {**checkpoint.options, "architecture": checkpoint.architecture}
    # The architecture first: options of different ones cannot be compared.
    for option in ("architecture", *wanted):
        if found.get(option) != wanted[option]:
            raise CheckpointError(
                f"{path} holds a network with {option} {found.get(option)}, the configuration asks "
                f"for {wanted[option]}; take another --out, or the configuration of that run"
            )
