"""The folder of downloaded networks."""

from __future__ import annotations

from pathlib import Path

from streamsep.cli.checks.finding import Finding
from streamsep.cli.destinations import takes_files
from streamsep.cli.models import torch_hub_folder
from streamsep.cli.screen import readable_size

__all__ = ["check_models"]


def check_models(cache_dir: Path | None) -> Finding:
    """Whether networks can be stored, how much room they take, and which are there.

    Args:
        cache_dir: folder of downloads, the default one if None.
    """
    from streamsep.models.registry import available_models, default_cache_dir

    folder = cache_dir or default_cache_dir()
    if not takes_files(folder):
        advice = "choose another folder with --cache-dir or STREAMSEP_CACHE_DIR"
        return Finding("models", "problem", f"{folder} cannot be written to", advice)
    files = [path for path in folder.glob("*") if path.is_file()]
    size = readable_size(sum(path.stat().st_size for path in files))
    models = available_models(cache_dir, hub_dir=torch_hub_folder())
    names = ", ".join(model.card.name for model in models if model.path) or "none"
    detail = f"{folder}, {size}; on this machine: {names}"
    if any(model.card.official and model.path for model in models):
        return Finding("models", "ok", detail)
    return Finding("models", "ok", detail, "the first separation downloads a network")
