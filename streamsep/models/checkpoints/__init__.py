"""Reading and writing weights: our own format, torchaudio's bundles, demucs' packages.

`load_checkpoint` is the one way in. It looks at the bytes of a file, not at its name, and it never
runs code from it: pickles pass through an unpickler that knows numbers, containers and tensors and
nothing else (`restricted_unpickler`).
"""

from __future__ import annotations

from streamsep.models.checkpoints.front_door import load_checkpoint
from streamsep.models.checkpoints.streamsep_format import (
    CheckpointHeader,
    read_header,
    save_checkpoint,
)

__all__ = ["CheckpointHeader", "load_checkpoint", "read_header", "save_checkpoint"]
