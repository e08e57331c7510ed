"""The other end of the engine: for scripts, which wait, and for whoever plays, who must not.

Nothing here imports torch: a process that plays audio cannot afford it.
"""

from __future__ import annotations

from bridge.client.control_client import ask_engine
from bridge.client.listener import StemListener
from bridge.client.live_client import LiveCounters, LiveState, LiveStemClient
from bridge.client.stem_client import StemClient

__all__ = [
    "LiveCounters",
    "LiveState",
    "LiveStemClient",
    "StemClient",
    "StemListener",
    "ask_engine",
]
