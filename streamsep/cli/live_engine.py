"""The engine of `streamsep live`: what starts one, and whether the one that runs will do."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bridge.client import ask_engine
from streamsep.config import load_presets
from streamsep.errors import ConfigError
from streamsep.models.names import is_listed, loaded_name

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.keys import ClientKeys
    from bridge.live.engine_keeper import EngineKeeper
    from bridge.run_folder import Endpoints
    from streamsep.config.live import LiveConfig

__all__ = ["OwnEngine", "check_engine", "engine_command"]

_USUAL_PRESET = "live"


@dataclass(frozen=True, slots=True)
class OwnEngine:
    """How an engine of our own is started, beyond what a live configuration says.

    Attributes:
        device: where it computes.
        cache_dir: folder of downloaded networks, the default one if None.
        allow_late: whether it goes on with a preset that this machine cannot hold.
    """

    device: str
    cache_dir: Path | None = None
    allow_late: bool = False


def engine_command(settings: LiveConfig, own: OwnEngine) -> list[str]:
    """What starts an engine for these settings; it ends with its standard input."""
    command = [sys.executable, "-m", "streamsep", "serve", "--lifeline"]
    command += ["--model", settings.model, "--preset", settings.preset or _USUAL_PRESET]
    command += ["--device", own.device]
    if own.cache_dir is not None:
        command += ["--cache-dir", str(own.cache_dir)]
    if settings.exact is not None:
        command.append("--exact" if settings.exact else "--incremental")
    if settings.precision is not None:
        command += ["--precision", settings.precision]
    return [*command, "--allow-late"] if own.allow_late else command


def check_engine(
    keeper: EngineKeeper,
    settings: LiveConfig,
    own: OwnEngine,
    endpoints: Endpoints,
    keys: ClientKeys | None,
) -> None:
    """Make sure that the engine has the network that was asked for.

    Should that engine end, one like it takes its place.

    Raises:
        ConfigError: it has another.
    """
    status = ask_engine({"request": "status"}, address=endpoints.control, keys=keys)
    running = status["model"]
    if settings.model != "auto" and running not in (settings.model, loaded_name(settings.model)):
        raise ConfigError(
            f"the engine that runs has the network '{running}', asked for was "
            f"'{settings.model}'; end that engine, or leave --model out"
        )
    if keeper.command is None:
        return
    like_it, differences = (settings, []) if keeper.starts else _like(status, settings)
    # Once it plays, stems that may be late are better than none.
    keeper.command = engine_command(like_it, replace(own, allow_late=True))
    keeper.remark = "; ".join(differences)


def _like(status: dict[str, Any], settings: LiveConfig) -> tuple[LiveConfig, list[str]]:
    """Settings for an engine like somebody else's, as far as they say nothing themselves.

    It tells names only. What it has from a file has a name too, which leads nowhere: the second
    result says in what the other one cannot be like it.
    """
    model, preset, differences = settings.model, settings.preset, []
    if model == "auto":
        if is_listed(status["model"]):
            model = status["model"]
        else:
            differences.append(_difference("network", status["model"], model, "--model"))
    if preset is None:
        preset = status["preset"]
        if preset not in load_presets():
            differences.append(_difference("preset", preset, _USUAL_PRESET, "--preset"))
            preset = _USUAL_PRESET
    return settings.changed(model=model, preset=preset), differences


def _difference(what: str, theirs: str, ours: str, option: str) -> str:
    return f"its {what} '{theirs}' was from a file: '{ours}' instead, as {option} names none"
