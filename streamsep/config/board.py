"""Boards: what is done to each stem, to sends and to the mix, and what is written.

::

    drums  ── plugins ── gain ──┬───────────────────────────┐
    bass   ── plugins ── gain ──┤                           │
    other  ── plugins ── gain ──┤                           ├─ + ── plugins ── gain ── mix
    vocals ── plugins ── gain ──┴─ level ── + ── plugins ── gain
                                            (a send)

A board knows no network: a stem that it does not name passes as it is, and whether a stem that it
names exists is seen when it meets one. What effects there are, and what they take, is pedalboard's
to say; `vst_wrapper.boards` asks it.
"""

from __future__ import annotations

import math
from difflib import get_close_matches
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from streamsep.config.locate import configs_folder
from streamsep.config.named import load_named
from streamsep.config.yaml_file import Document, load_yaml
from streamsep.home import from_home

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "ALL_STEMS",
    "LONGEST_TAIL_S",
    "MIX",
    "BoardConfig",
    "ChainConfig",
    "PluginConfig",
    "StripConfig",
    "load_board",
    "load_boards",
]

MIX = "mix"
"""Name of the sum of all stems and sends among the outputs of a board."""

ALL_STEMS = "stems"
"""Stands for every stem among the outputs of a board."""

LONGEST_TAIL_S = 30.0
"""As long as pedalboard's longest delay."""

ParameterValue = bool | float | str


def _parameter_value(value: object) -> ParameterValue:
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    raise ValueError("expected a number, true, false or a text")


def _points_in_order(points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    if any(later[0] <= earlier[0] for earlier, later in pairwise(points)):
        raise ValueError("expected points [seconds, value] in the order of their times")
    return points


Decibels = Annotated[float, Field(ge=-120.0, le=40.0)]
Time = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Value = Annotated[float, Field(allow_inf_nan=False)]
Point = Annotated[tuple[Time, Value], Field(strict=False)]
Points = Annotated[
    tuple[Point, ...], Field(strict=False, min_length=1), AfterValidator(_points_in_order)
]
Names = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]


class PluginConfig(Document):
    """One plugin of a chain: an effect of pedalboard's own, or a VST3 or Audio Unit.

    Attributes:
        effect: class name of the effect, such as `Compressor`; None for a plugin from a file.
        plugin: the file or bundle of a VST3 or Audio Unit, relative to the board's file; None for
            an effect.
        name: which plugin of a file that holds several.
        preset: a `.vstpreset` to load first, relative to the board's file.
        parameters: values that stay.
        automation: values that change: points [seconds, value] of the song with straight lines
            between them; the first holds before, the last after.
    """

    effect: str | None = None
    plugin: str | None = None
    name: str | None = None
    preset: str | None = None
    parameters: dict[str, Annotated[ParameterValue, PlainValidator(_parameter_value)]] = Field(
        default_factory=dict
    )
    automation: dict[str, Points] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_kind(self) -> PluginConfig:
        if (self.effect is None) == (self.plugin is None):
            raise ValueError("expected either 'effect' or 'plugin', got " + self._both_or_none())
        if self.effect is not None and (self.name or self.preset):
            raise ValueError("'name' and 'preset' belong to a 'plugin', not to an 'effect'")
        if twice := sorted(self.parameters.keys() & self.automation.keys()):
            raise ValueError(f"'{twice[0]}' stands in 'parameters' and in 'automation', keep one")
        return self

    def _both_or_none(self) -> str:
        return "neither" if self.effect is None else "both"


class ChainConfig(Document):
    """Plugins in a row: those of the mix, or of a send that several stems share.

    Attributes:
        plugins: in the order in which they hear the sound.
        gain_db: level behind the plugins, -120 to 40.
    """

    plugins: Annotated[tuple[PluginConfig, ...], Field(strict=False)] = ()
    gain_db: Decibels = 0.0


class StripConfig(ChainConfig):
    """What happens to one stem.

    Attributes:
        mute: leave the stem out of the mix and of the sends.
        sends: how loud the stem goes to each send, in dB, behind its gain.
    """

    mute: bool = False
    sends: dict[str, Decibels] = Field(default_factory=dict)


ChainT = TypeVar("ChainT", bound=ChainConfig)


class BoardConfig(Document):
    """A whole board.

    Attributes:
        name: what it is called on the command line; its results lie in a folder of this name.
        description: one line, what it makes of a song.
        stems: what happens to the stems that do not pass as they are.
        sends: chains that stems share, by name.
        mix: what happens to the sum.
        outputs: what is written: `mix`, names of stems, or `stems` for all of them.
        tail_s: how much longer than the song the result may become, in seconds, while effects ring
            out; 0 keeps the song's length.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    description: str
    stems: dict[str, StripConfig] = Field(default_factory=dict)
    sends: dict[str, ChainConfig] = Field(default_factory=dict)
    mix: ChainConfig = Field(default_factory=ChainConfig)
    outputs: Names = (MIX,)
    tail_s: float = Field(default=0.0, ge=0.0, le=LONGEST_TAIL_S)

    @model_validator(mode="after")
    def _fits_together(self) -> BoardConfig:
        for stem, strip in self.stems.items():
            for send in strip.sends:
                if send not in self.sends:
                    near = get_close_matches(send, self.sends, n=1)
                    hint = f", did you mean '{near[0]}'?" if near else ""
                    known = ", ".join(self.sends) or "no sends"
                    raise ValueError(
                        f"stem '{stem}' goes to the send '{send}'{hint or f', expected {known}'}"
                    )
        if len(set(self.outputs)) < len(self.outputs):
            raise ValueError(f"key 'outputs': got {', '.join(self.outputs)}, expected each once")
        return self


def load_boards(folder: Path | None = None) -> dict[str, BoardConfig]:
    """Read all boards of a folder.

    Args:
        folder: holds one YAML file per board; the ones that come with streamsep if None.

    Returns:
        The boards by name.

    Raises:
        ConfigError: the folder is missing or a file in it is wrong.
    """
    files = sorted((folder or configs_folder("boards")).glob("*.yaml"))
    boards = [_load(file) for file in files]
    return {board.name: board for board in boards}


def load_board(name_or_path: str | Path) -> BoardConfig:
    """Find a board by its name, or read one from a file of your own.

    Args:
        name_or_path: one of the names of `load_boards`, or the path of a YAML file.

    Raises:
        ConfigError: there is no such board or file, or the file is wrong.
    """
    return load_named(name_or_path, "board", load_boards, _load)


def _load(path: Path) -> BoardConfig:
    """Read a board and make the files that it names relative to where it lies."""
    board = load_yaml(path, BoardConfig)
    folder = path.parent
    return board.model_copy(
        update={
            "stems": {name: _located(strip, folder) for name, strip in board.stems.items()},
            "sends": {name: _located(send, folder) for name, send in board.sends.items()},
            "mix": _located(board.mix, folder),
        }
    )


def _located(chain: ChainT, folder: Path) -> ChainT:
    plugins = tuple(_with_paths(plugin, folder) for plugin in chain.plugins)
    return chain.model_copy(update={"plugins": plugins})


_FILES = ("impulse_response_filename",)
"""Parameters of effects that name a file."""


def _with_paths(plugin: PluginConfig, folder: Path) -> PluginConfig:
    def located(name: str | None) -> str | None:
        return None if name is None else str(folder / from_home(name))

    files = {
        key: str(folder / from_home(value))
        for key, value in plugin.parameters.items()
        if key in _FILES and isinstance(value, str)
    }
    return plugin.model_copy(
        update={
            "plugin": located(plugin.plugin),
            "preset": located(plugin.preset),
            "parameters": {**plugin.parameters, **files},
        }
    )
