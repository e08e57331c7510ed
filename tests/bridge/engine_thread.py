"""Engines in a thread of the test: up in a moment, and they always say good-bye."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import fakes
import torch

from bridge.run_folder import ipc_endpoints
from bridge.server import Engine, EngineServer
from streamsep.config import LatencyPreset

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bridge.keys import EngineKeys
    from bridge.run_folder import Endpoints

__all__ = ["engine_thread", "serving"]


@contextmanager
def engine_thread(folder: Path, hop: int = 2048) -> Iterator[EngineServer]:
    """The engine of engine_process.py in a folder, for as long as the block lasts."""
    preset = LatencyPreset(
        name="test",
        description="",
        use="",
        context=4096,
        hop=hop,
        look_ahead=2048,
        crossfade=512,
    )
    engine = Engine(
        fakes.SegmentShaped(stride=2048),
        "fake",
        torch.device("cpu"),
        presets={"test": preset},
        preset="test",
    )
    folder.mkdir(mode=0o700, exist_ok=True)
    with serving(engine, ipc_endpoints(folder)) as server:
        yield server


@contextmanager
def serving(
    engine: Engine, endpoints: Endpoints, keys: EngineKeys | None = None
) -> Iterator[EngineServer]:
    """A server of an engine for as long as the block lasts."""
    server = EngineServer(engine, [endpoints], keys=keys)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(20)
