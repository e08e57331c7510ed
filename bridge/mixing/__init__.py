"""From stems to the outputs of a sound card: gains, routes, dry and wet, and a limiter at the end.

The controls are a few numbers that anybody may turn while the mixer runs in the audio callback.
Nothing here imports torch, and nothing waits.
"""

from __future__ import annotations

from bridge.mixing.controls import HIGHEST_GAIN_DB, Amplitudes, Control, MixControls, Parameter
from bridge.mixing.limiter import Limiter
from bridge.mixing.mixer import RAMP_S, Mixer
from bridge.mixing.routes import Route, parse_route

__all__ = [
    "HIGHEST_GAIN_DB",
    "RAMP_S",
    "Amplitudes",
    "Control",
    "Limiter",
    "MixControls",
    "Mixer",
    "Parameter",
    "Route",
    "parse_route",
]
