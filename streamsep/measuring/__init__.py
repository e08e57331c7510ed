"""What this machine can do: the cost of one hop of a network, and what follows from it.

`hops` times a live stream; `peak_memory`, `device` and `other_programs` watch what happens
meanwhile; `machine` says what the figures are true of; a `measurement` is all of that together,
`kept` remembers it, and `recommendation` chooses. `hop_cost` is the one figure that an engine has
to know before it serves, `kept_costs` remembers that. What was measured can be read without torch.
"""

from streamsep.measuring.hop_cost import HopCost, Setup, Workload, fingerprint
from streamsep.measuring.kept import KeptMeasurements
from streamsep.measuring.kept_costs import KeptHopCosts
from streamsep.measuring.machine import Machine, this_machine
from streamsep.measuring.measurement import MOST_RTF, Measurement
from streamsep.measuring.recommendation import recommended, recommended_of_each

__all__ = [
    "MOST_RTF",
    "HopCost",
    "KeptHopCosts",
    "KeptMeasurements",
    "Machine",
    "Measurement",
    "Setup",
    "Workload",
    "fingerprint",
    "recommended",
    "recommended_of_each",
    "this_machine",
]
