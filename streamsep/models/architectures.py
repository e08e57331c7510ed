"""Every network that can be built, by the name it has in configurations and in files of weights.

An architecture is a frozen dataclass of options and a network that is made from it. To add one,
add its line to the table below.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import TypeAdapter, ValidationError

from streamsep.errors import ConfigError
from streamsep.models.conv_tasnet import ConvTasNet, ConvTasNetConfig
from streamsep.models.demucs_time import TimeDemucs, TimeDemucsConfig
from streamsep.models.demucs_v1_v2 import DemucsV1, DemucsV1Config, DemucsV2, DemucsV2Config
from streamsep.models.htdemucs import HTDemucs, HTDemucsConfig
from streamsep.models.hybrid_demucs import HybridDemucs, HybridDemucsConfig
from streamsep.models.network import SeparationNetwork
from streamsep.models.open_unmix import OpenUnmix, OpenUnmixConfig
from streamsep.models.wave_u_net import WaveUNet, WaveUNetConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "Network",
    "architecture_of",
    "build_network",
    "find_architecture",
]

Network: TypeAlias = HybridDemucs | SeparationNetwork[Any]
"""Any of the networks: an `nn.Module` that is a `Separator` and keeps its options as `config`."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """One row of the table.

    Attributes:
        name: as configurations and files of weights spell it.
        config: the frozen dataclass of its options.
        network: makes a network with random weights from such options.
    """

    name: str
    config: type[Any]
    network: Callable[[Any], Network]

    def configure(self, options: Mapping[str, object]) -> Any:
        """Check options by name; what is missing has its default.

        Args:
            options: as YAML or JSON holds them, lists for tuples.

        Returns:
            An object of the class `config`.

        Raises:
            ConfigError: an option is unknown, of the wrong kind, or does not fit the others.
        """
        names = [field.name for field in fields(self.config)]
        for option in options:
            if option not in names:
                near = get_close_matches(option, names, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"expected {', '.join(names)}"
                raise ConfigError(f"unknown option '{option}' of the network {self.name}, {hint}")
        try:
            # By way of JSON, pydantic takes lists for tuples and still no text for numbers.
            text = json.dumps(dict(options), default=str)
            return TypeAdapter(self.config).validate_json(text, strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            option = ".".join(str(part) for part in first["loc"])
            expected = first["msg"].replace("Input should be", "expected")
            raise ConfigError(
                f"option '{option}' of the network {self.name}: "
                f"got {first['input']!r:.60}, {expected}"
            ) from None

    def build(self, options: Mapping[str, object]) -> Network:
        """Make a network with random weights, drawn from torch's generator.

        Raises:
            ConfigError: no such network can be made of these options.
        """
        config = self.configure(options)
        try:
            return self.network(config)
        except (RuntimeError, ValueError, TypeError, ArithmeticError) as error:
            reason = str(error).partition("\n")[0]
            raise ConfigError(
                f"no {self.name} has these options: {reason:.200}; change the network's options"
            ) from error


ARCHITECTURES: dict[str, Architecture] = {
    entry.name: entry
    for entry in (
        Architecture("hybrid_demucs", HybridDemucsConfig, HybridDemucs),
        Architecture("htdemucs", HTDemucsConfig, HTDemucs),
        Architecture("demucs_v1", DemucsV1Config, DemucsV1),
        Architecture("demucs_v2", DemucsV2Config, DemucsV2),
        Architecture("demucs_time", TimeDemucsConfig, TimeDemucs),
        Architecture("open_unmix", OpenUnmixConfig, OpenUnmix),
        Architecture("conv_tasnet", ConvTasNetConfig, ConvTasNet),
        Architecture("wave_u_net", WaveUNetConfig, WaveUNet),
    )
}
"""All architectures by name."""


def find_architecture(name: str) -> Architecture:
    """Look an architecture up.

    Raises:
        ConfigError: there is none of this name.
    """
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    near = get_close_matches(name, ARCHITECTURES, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise ConfigError(f"unknown architecture '{name}', {hint}expected {', '.join(ARCHITECTURES)}")


def build_network(architecture: str, options: Mapping[str, object]) -> Network:
    """Make a network with random weights, drawn from torch's generator.

    Raises:
        ConfigError: the architecture or one of its options is unknown or cannot be.
    """
    return find_architecture(architecture).build(options)


def architecture_of(network: object) -> Architecture:
    """The architecture of a network, or of the options of one.

    Raises:
        ConfigError: it is of none of the table, for example a bag of several networks.
    """
    config = getattr(network, "config", network)
    for architecture in ARCHITECTURES.values():
        if type(config) is architecture.config:
            return architecture
    raise ConfigError(
        f"a {type(network).__name__} is no single network of a known architecture, "
        f"expected one of {', '.join(ARCHITECTURES)}"
    )
