"""The engine process: one network, one device, many sessions."""

from __future__ import annotations

from bridge.server.engine import Engine
from bridge.server.server import EngineServer

__all__ = ["Engine", "EngineServer"]
