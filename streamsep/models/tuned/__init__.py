"""Networks arranged for the processor.

The plain networks say what is computed, and can be trained. `tune` gives the same network in an
order that a processor is fast at, for files, where one segment comes after the other; see
`hybrid.py`. Live streams are followed hop by hop on its layers (`models/incremental/`).
"""

from streamsep.models.tuned.hybrid import TunedHybridDemucs
from streamsep.models.tuned.precision import (
    TUNED_PRECISIONS,
    TunedPrecision,
    has_bfloat16,
    tuned_precision,
)
from streamsep.models.tuned.tune import tune

__all__ = [
    "TUNED_PRECISIONS",
    "TunedHybridDemucs",
    "TunedPrecision",
    "has_bfloat16",
    "tune",
    "tuned_precision",
]
