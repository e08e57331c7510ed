"""What this machine can do: the cost of one hop of a network, and what follows from it.

`hops` times a live stream; `peak_memory`, `device` and `other_programs` watch what happens
meanwhile; `machine` says what the figures are true of; a `measurement` is all of that together,
`kept` remembers it, and `recommendation` chooses. What was measured can be read without torch.
"""

from streamsep.measuring.kept import KeptMeasurements
from streamsep.measuring.machine import Machine, this_machine
from streamsep.measuring.measurement import MOST_RTF, Measurement
from streamsep.measuring.recommendation import recommended, recommended_of_each

__all__ = [
    "MOST_RTF",
    "KeptMeasurements",
    "Machine",
    "Measurement",
    "recommended",
    "recommended_of_each",
    "this_machine",
]
