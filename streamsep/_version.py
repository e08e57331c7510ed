"""The version, from the installed package's metadata: pyproject.toml is its one source."""

from __future__ import annotations

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("streamsep")
