"""`streamsep models convert`: any file of weights into one of our own format."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamsep.cli.destinations import Force, check_nothing_replaced
from streamsep.cli.screen import readable_size
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamsep.config import ModelCard
    from streamsep.models.checkpoints import ReadCheckpoint

__all__ = ["convert"]

_UNKNOWN = "unknown"


class ElementType(StrEnum):
    """How weights are stored."""

    FP16 = "fp16"
    FP32 = "fp32"


Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="IN... OUT",
        help="The file to read, or one for each stem as openunmix has them, and the one to write.",
    ),
]
Dtype = Annotated[
    ElementType, typer.Option("--dtype", help="Element type in the file; fp16 halves it.")
]
Licence = Annotated[
    str | None,
    typer.Option(
        "--licence", metavar="TEXT", help="Terms of the weights.", show_default="as IN says"
    ),
]
Training = Annotated[
    str | None,
    typer.Option(
        "--training",
        metavar="TEXT",
        help="What they were trained on.",
        show_default="as IN says",
    ),
]


def convert(
    files: Files,
    dtype: Dtype = ElementType.FP32,
    licence: Licence = None,
    training: Training = None,
    force: Force = False,
) -> None:
    """Write a file of demucs, torchaudio or openunmix as safetensors that say all about themselves.

    Nothing in IN is run. OUT appears when it is whole.
    """
    *inputs, output = files
    if not inputs:
        raise ConfigError(f"got one file, {output}, expected IN and OUT")
    # Before torch is imported: the most common mistake should not take seconds to tell.
    check_nothing_replaced(output, force=force)
    from streamsep.models.checkpoints import save_checkpoint

    read = _read(inputs)
    card = _card_of(inputs[0])
    save_checkpoint(
        read.network,
        output,
        licence=licence or read.licence or (card.licence if card else _UNKNOWN),
        training=training or read.training or (card.training if card else _UNKNOWN),
        dtype=dtype.value,
    )
    size = readable_size(output.stat().st_size)
    typer.echo(f"{output}: {read.file_format}, {read.stored_as} → {dtype.value}, {size}")


def _read(inputs: Sequence[Path]) -> ReadCheckpoint:
    from streamsep.models.checkpoints import read_checkpoint, read_stem_files

    return read_checkpoint(inputs[0]) if len(inputs) == 1 else read_stem_files(inputs)


def _card_of(path: Path) -> ModelCard | None:
    """The card of a file that has the name and the checksum of one of the registry."""
    import hashlib

    from streamsep.config import load_model_cards

    for card in load_model_cards().values():
        if card.sha256 and path.name in (card.filename, (card.url or "").rpartition("/")[2]):
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found.startswith(card.sha256):
                return card
    return None
