"""Reading and writing weights: our own format, and those of demucs, torchaudio and openunmix.

`read_checkpoint` is the one way in. It looks at the bytes of a file, not at its name, and it never
runs code from it: pickles pass through an unpickler that knows numbers, containers and tensors and
nothing else (`restricted_unpickler`).
"""

from __future__ import annotations

from streamsep.models.checkpoints.assembly import ReadCheckpoint
from streamsep.models.checkpoints.front_door import (
    load_checkpoint,
    read_checkpoint,
    read_stem_files,
)
from streamsep.models.checkpoints.streamsep_format import (
    CheckpointHeader,
    read_header,
    save_checkpoint,
)

__all__ = [
    "CheckpointHeader",
    "ReadCheckpoint",
    "load_checkpoint",
    "read_checkpoint",
    "read_header",
    "read_stem_files",
    "save_checkpoint",
]
