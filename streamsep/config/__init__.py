"""Presets and model cards: small YAML files, checked once at the edge, then frozen objects.

The files live in the `configs/` folder. This package is the only one that reads YAML, and it
imports neither torch nor anything else that is slow, so that the command line can list presets at
once.
"""

from __future__ import annotations

from streamsep.config.bag_card import BagCard, BagSummary, load_bag_cards
from streamsep.config.latency_preset import LatencyPreset, load_preset, load_presets
from streamsep.config.locate import configs_folder
from streamsep.config.model_card import ModelCard, Quality, load_model_cards
from streamsep.config.yaml_file import Document, load_yaml

__all__ = [
    "BagCard",
    "BagSummary",
    "Document",
    "LatencyPreset",
    "ModelCard",
    "Quality",
    "configs_folder",
    "load_bag_cards",
    "load_model_cards",
    "load_preset",
    "load_presets",
    "load_yaml",
]
