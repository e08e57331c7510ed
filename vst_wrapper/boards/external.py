"""VST3 plugins and Audio Units: found, loaded, set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pedalboard

from streamsep.errors import ConfigError
from vst_wrapper.nearest import nearest

if TYPE_CHECKING:
    from streamsep.config.board import ParameterValue, PluginConfig

__all__ = ["check_external_parameter", "check_files", "load_external"]

PATIENCE_S = 10.0
"""How long a plugin may take to get ready."""


def load_external(config: PluginConfig, where: str) -> Any:
    """Load a plugin from its file, with its preset and parameters; only in the main thread.

    Args:
        config: which, and how it is set.
        where: where on the board it stands, for messages.

    Returns:
        A `pedalboard.ExternalPlugin`.

    Raises:
        ConfigError: the file or the preset is missing or unfit, or a parameter is.
    """
    path, preset = check_files(config, where)
    try:
        plugin: Any = pedalboard.load_plugin(
            str(path), plugin_name=config.name, initialization_timeout=PATIENCE_S
        )
    except (ImportError, RuntimeError, ValueError) as error:
        raise ConfigError(f"{where}: '{path}' cannot be loaded: {_one_line(error)}") from error
    if not plugin.is_effect:
        raise ConfigError(f"{where}: '{path.name}' is an instrument, expected an effect")
    if preset is not None:
        _load_preset(plugin, preset, where)
    for parameter, value in config.parameters.items():
        check_external_parameter(plugin, parameter, value, where)
        setattr(plugin, parameter, value)
    return plugin


def check_files(config: PluginConfig, where: str) -> tuple[Path, Path | None]:
    """The files of a plugin and of its preset, if it has one.

    Raises:
        ConfigError: one of them does not exist.
    """
    assert config.plugin is not None
    path = Path(config.plugin)
    if not path.exists():
        raise ConfigError(f"{where}: '{path}' does not exist, expected a VST3 or Audio Unit")
    preset = Path(config.preset) if config.preset is not None else None
    if preset is not None and not preset.is_file():
        raise ConfigError(f"{where}: the preset '{preset}' does not exist, expected a .vstpreset")
    return path, preset


def check_external_parameter(
    plugin: Any, parameter: str, value: ParameterValue, where: str
) -> None:
    """Make sure that a plugin has a parameter that may have a value.

    Args:
        plugin: a `pedalboard.ExternalPlugin`, whose stubs lack what it has.
        parameter: its parameter.
        value: what it shall be.
        where: where on the board it stands, for messages.

    Raises:
        ConfigError: it has not, or the parameter may not.
    """
    known = plugin.parameters
    if parameter not in known:
        hint = nearest(parameter, known) if known else "it has none"
        raise ConfigError(f"{where}: unknown parameter '{parameter}', {hint}")
    described = known[parameter]
    try:
        described.get_raw_value_for(value)
    except (ValueError, TypeError):
        expected = _expected(described)
        raise ConfigError(
            f"{where}, parameter '{parameter}': got {value!r}, expected {expected}"
        ) from None


def _expected(described: Any) -> str:
    if described.type is float:
        return f"a number from {described.min_value:g} to {described.max_value:g}"
    if described.type is bool:
        return "true or false"
    names = [str(value) for value in described.valid_values]
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")


def _load_preset(plugin: Any, preset: Path, where: str) -> None:
    if not hasattr(plugin, "load_preset"):
        raise ConfigError(f"{where}: presets are for VST3 plugins, set parameters instead")
    try:
        plugin.load_preset(str(preset))
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"{where}: the preset '{preset}' does not fit the plugin: {_one_line(error)}"
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
