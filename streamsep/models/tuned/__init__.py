"""Networks arranged for the processor, to separate files with.

The plain networks say what is computed, can be trained, and are what live streams follow hop by
hop. For a file, where one segment comes after the other, `tune` gives the same network in an order
that a processor is fast at; see `hybrid.py`.
"""

from streamsep.models.tuned.precision import PRECISIONS, Precision, check_precision
from streamsep.models.tuned.tune import tune

__all__ = ["PRECISIONS", "Precision", "check_precision", "tune"]
