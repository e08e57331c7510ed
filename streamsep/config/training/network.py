"""Which network a run trains."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict

from streamsep.config.yaml_file import Document

__all__ = ["NetworkChoice"]


class NetworkChoice(Document):
    """An architecture by its name, and beside the name the options that differ from its defaults.

    Which architectures and options there are is for `streamsep.models.architectures` to say: this
    layer lies below the networks, so the options are checked when the network is built.

    Attributes:
        architecture: name of the architecture.
    """

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    architecture: str = "hybrid_demucs"

    @property
    def options(self) -> dict[str, Any]:
        """The architecture's options by name, not yet checked."""
        return dict(self.model_extra or {})
