"""Where the `configs/` folder is: inside an installed package, or beside the sources."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from streamsep.errors import ConfigError

__all__ = ["configs_folder"]


def configs_folder(kind: str | None = None) -> Path:
    """Find the folder of configuration files that came with streamsep.

    Args:
        kind: a folder inside it, such as "presets" or "models".

    Returns:
        An existing folder.

    Raises:
        ConfigError: the installation lacks it.
    """
    package = Path(str(resources.files("streamsep")))
    # The package's own folder first: beside an installed package lie other people's packages,
    # and one of them may well be called "configs".
    candidates = [package / "configs", package.parent / "configs"]
    for folder in candidates:
        wanted = folder / kind if kind else folder
        if (folder / "presets").is_dir() and wanted.is_dir():
            return wanted
    looked_in = " and ".join(str(folder) for folder in candidates)
    raise ConfigError(
        f"the configuration files {kind or ''} of streamsep are missing, looked in {looked_in}; "
        "reinstall streamsep"
    )
