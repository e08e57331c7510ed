"""Networks that streamsep did not build: exported programs and installed packages.

An exported program is a file of `torch.export`, TorchScript or ONNX, and a YAML file that describes
it (`streamsep.config.network_description`). Once loaded it is a `Separator` like any other.
"""

from __future__ import annotations

from streamsep.models.exported.exported_network import ExportedNetwork
from streamsep.models.exported.loading import load_described

__all__ = ["ExportedNetwork", "load_described"]
