"""Model cards: what streamsep knows about a network before it opens the file.

A card says where the weights are and how to recognise them, what they were trained on, under which
terms they may be used and how well they are known to separate. Figures in cards are published ones
with their source; a card without a figure says that nobody published any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator, model_validator

from streamsep.config.locate import configs_folder
from streamsep.config.yaml_file import Document, load_yaml

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ModelCard", "Quality", "load_model_cards"]


class Quality(Document):
    """A published measurement.

    Attributes:
        sdr_db: mean over the stems of the signal-to-distortion ratio in dB.
        source: who measured it on what; figures from different test sets do not compare.
    """

    sdr_db: float
    source: str


class ModelCard(Document):
    """One network of the registry.

    Attributes:
        name: what it is called on the command line.
        description: one line.
        architecture: family of the network.
        format: what kind of file the weights are.
        sources: names of the stems, in the order of the network's output.
        sample_rate: samples per second the network expects.
        channels: audio channels the network expects.
        url: where to download the file; None for a file that comes with streamsep.
        filename: name of the file in the cache, or in the package.
        size_bytes: size of the file; None if unknown.
        size_exact: False if `size_bytes` is only known roughly.
        sha256: checksum of the file, all 64 characters or the first 8 (demucs puts these into its
            file names). None if nobody published one: then a download is complete when it has the
            length the server announced, and every tensor in it passes the checksums inside the
            file and has the right name and shape.
        segment: samples that the network is given at once when it separates files, a multiple
            of 4 x 2048, so that a quarter of overlap leaves the hop on the network's grid.
        longest_context: samples of context that it makes use of in a live stream, a multiple of
            2048; a preset that offers more is cut to it. None if nobody has measured that.
        licence: terms of the weights, as far as they are known.
        training: what the network was trained on.
        quality: published measurement, or None.
        official: True for networks published by the authors of the architecture; only these
            are chosen automatically.
        rank: order of preference among the official ones, 1 is the best.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_]*$")
    description: str
    architecture: Literal[
        "hybrid_demucs", "htdemucs", "demucs_v1", "demucs_v2", "demucs_time", "conv_tasnet"
    ]
    format: Literal["torchaudio", "demucs", "streamsep"]
    sources: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    sample_rate: int = Field(gt=0)
    channels: int = Field(gt=0)
    url: str | None = Field(default=None, pattern=r"^https://")
    filename: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    size_bytes: int | None = Field(default=None, gt=0)
    size_exact: bool = True
    sha256: str | None = Field(default=None, pattern=r"^([0-9a-f]{8}|[0-9a-f]{64})$")
    segment: int = Field(gt=0, multiple_of=8192)
    longest_context: int | None = Field(default=None, ge=0, multiple_of=2048)
    licence: str
    training: str
    quality: Quality | None = None
    official: bool = False
    rank: int | None = Field(default=None, ge=1)

    @field_validator("sources")
    @classmethod
    def _names_differ(cls, sources: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(sources)) != len(sources):
            raise ValueError("expected every stem once")
        return sources

    @model_validator(mode="after")
    def _ranked_if_official(self) -> ModelCard:
        if self.official and (self.rank is None or self.url is None):
            raise ValueError("key 'official': an official network needs a rank and a url")
        return self

    @property
    def packaged(self) -> bool:
        """True if the file comes with streamsep instead of from a server."""
        return self.url is None

    @property
    def exact_size_bytes(self) -> int | None:
        """Size of the file if it is known to the byte."""
        return self.size_bytes if self.size_exact else None

    def accepts_size(self, size_bytes: int) -> bool:
        """Whether a file of this size can be the one described here."""
        if self.size_bytes is None:
            return size_bytes > 0
        slack = 0 if self.size_exact else self.size_bytes // 50
        return abs(size_bytes - self.size_bytes) <= slack


def load_model_cards(folder: Path | None = None) -> dict[str, ModelCard]:
    """Read all model cards of a folder.

    Args:
        folder: holds one YAML file per network; the ones that come with streamsep if None.

    Returns:
        The cards by name: official ones first, by rank.

    Raises:
        ConfigError: the folder is missing or a card in it is wrong.
    """
    files = sorted((folder or configs_folder("models")).glob("*.yaml"))
    cards = [load_yaml(file, ModelCard) for file in files]
    cards.sort(key=lambda card: (not card.official, card.rank or 0, card.name))
    return {card.name: card for card in cards}
