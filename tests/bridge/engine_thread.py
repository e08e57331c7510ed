"""Engines in a thread of the test: up in a moment, and they always say good-bye."""

from __future__ import annotations

import socket
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

__all__ = ["engine_thread", "fake_engine", "free_ports", "serving"]


@contextmanager
def engine_thread(folder: Path, hop: int = 2048) -> Iterator[EngineServer]:
    """The engine of engine_process.py in a folder, for as long as the block lasts."""
    folder.mkdir(mode=0o700, exist_ok=True)
    with serving(fake_engine(hop), ipc_endpoints(folder)) as server:
        yield server


def fake_engine(hop: int = 2048) -> Engine:
    """The engine of engine_process.py."""
    preset = LatencyPreset(
        name="test",
        description="",
        use="",
        context=4096,
        hop=hop,
        look_ahead=2048,
        crossfade=512,
    )
    return Engine(
        fakes.SegmentShaped(stride=2048),
        "fake",
        torch.device("cpu"),
        presets={"test": preset},
        preset="test",
    )


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


def free_ports() -> int:
    """A port that is free and whose two neighbours are."""
    while True:
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
        try:
            for offset in range(3):
                with socket.socket() as each:
                    each.bind(("127.0.0.1", port + offset))
        except (OSError, OverflowError):
            continue
        return port
