"""Recording while it plays: from the callback through a ring to a process that writes files.

    callback ──► RecordingRing ──► writer process ──► folder/TIME/{input,drums,...}.flac

Nothing here imports torch, and nothing in the callback waits.
"""

from __future__ import annotations

from bridge.recording.recorder import Recorder
from bridge.recording.ring import RecordingRing

__all__ = ["Recorder", "RecordingRing"]
