"""The networks, their weights and the registry that names them."""

from streamsep.models.registry import (
    AUTO,
    AvailableModel,
    LoadedModel,
    available_models,
    default_cache_dir,
    load_model,
    obtain_model,
)

__all__ = [
    "AUTO",
    "AvailableModel",
    "LoadedModel",
    "available_models",
    "default_cache_dir",
    "load_model",
    "obtain_model",
]
