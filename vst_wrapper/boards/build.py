"""From a board's YAML to the board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamsep.config.board import MIX
from vst_wrapper.boards.automation import Automated, check_automation
from vst_wrapper.boards.effects import make_effect
from vst_wrapper.boards.external import check_files, load_external
from vst_wrapper.boards.stem_board import DEMUCS_STEMS, Send, StemBoard

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pedalboard

    from streamsep.config.board import BoardConfig, ChainConfig, PluginConfig

__all__ = ["build_board", "check_board"]


def check_board(config: BoardConfig) -> None:
    """Look at all that can be wrong with a board before stems and plugins from files are there.

    Raises:
        ConfigError: an effect or a parameter of one is unknown, a value out of range, or the file
            of a plugin missing.
    """
    chains: dict[str, ChainConfig] = {
        f"stem '{name}'": strip for name, strip in config.stems.items()
    }
    chains |= {f"send '{name}'": send for name, send in config.sends.items()}
    for where, chain in (*chains.items(), (MIX, config.mix)):
        for number, plugin in enumerate(chain.plugins, start=1):
            _check(plugin, f"{where}, plugin {number}")


def build_board(config: BoardConfig, sources: Sequence[str] = DEMUCS_STEMS) -> StemBoard:
    """Make the board that a configuration describes, with plugins of its own.

    Plugins from files can only be loaded in the main thread.

    Args:
        config: of the board; see `streamsep.config.board.load_board`.
        sources: names of the stems, in the order in which they come.

    Raises:
        ConfigError: the configuration names a stem, an effect or a parameter that is not there, or
            a value out of range. The message names stem, plugin and parameter.
    """
    return StemBoard(
        sources,
        stems={name: _plugins(strip, f"stem '{name}'") for name, strip in config.stems.items()},
        mix=_plugins(config.mix, MIX),
        sends={
            name: Send(_plugins(send, f"send '{name}'"), _levels(config, name), send.gain_db)
            for name, send in config.sends.items()
        },
        gains_db={name: strip.gain_db for name, strip in config.stems.items()},
        muted=[name for name, strip in config.stems.items() if strip.mute],
        mix_gain_db=config.mix.gain_db,
        outputs=config.outputs,
        tail_s=config.tail_s,
    )


def _levels(config: BoardConfig, send: str) -> dict[str, float]:
    """How loud each stem goes to a send."""
    return {stem: strip.sends[send] for stem, strip in config.stems.items() if send in strip.sends}


def _plugins(chain: ChainConfig, where: str) -> list[pedalboard.Plugin | Automated]:
    return [
        _plugin(config, f"{where}, plugin {number}")
        for number, config in enumerate(chain.plugins, start=1)
    ]


def _plugin(config: PluginConfig, where: str) -> pedalboard.Plugin | Automated:
    if config.effect is not None:
        plugin = make_effect(config.effect, config.parameters, where)
    else:
        plugin = load_external(config, where)
    return Automated(plugin, config.automation) if config.automation else plugin


def _check(config: PluginConfig, where: str) -> None:
    if config.effect is None:
        check_files(config, where)
        return
    effect = make_effect(config.effect, config.parameters, where)
    for parameter, points in config.automation.items():
        check_automation(effect, parameter, points, where)
