"""What all sections of a training configuration have in common."""

from __future__ import annotations

from pydantic import ConfigDict

from streamsep.config.yaml_file import Document

__all__ = ["Section"]


class Section(Document):
    """A document in which every number is finite: nothing can be drawn from an endless range."""

    model_config = ConfigDict(allow_inf_nan=False)
