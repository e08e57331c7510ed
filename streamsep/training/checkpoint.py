"""The whole state of a run in one file, which is always whole.

A checkpoint is written under another name first and then takes the place of the one before in a
single step, so a kill, a crash or a full disk at any moment leaves one that can be continued.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from streamsep.devices.out_of_memory import is_out_of_memory
from streamsep.errors import CheckpointError, OutputError, TrainingError
from streamsep.training.beginning import Beginning
from streamsep.training.reports import Scores

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.training.ema import AverageState

__all__ = ["CHECKPOINT", "BestWeights", "Checkpoint", "read_checkpoint", "write_checkpoint"]

CHECKPOINT = "checkpoint.pt"
"""The file's name in the folder of a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BestWeights:
    """The best weights that a run has had, by its validations.

    Attributes:
        step: when.
        scores: what they were, the last ones or an average, and how good.
        weights: the state dictionary.
        judged_by: `Judge.fingerprint` of that validation; None in checkpoints from before there
            was one.
    """

    step: int
    scores: Scores
    weights: dict[str, Tensor]
    judged_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a run needs to go on as if nothing had happened.

    Attributes:
        step: steps done.
        architecture: name of the network's architecture.
        options: of the network.
        weights: of the network.
        optimiser: Adam's state.
        averages: of the weights, by name.
        best: None before the first validation.
        beginning: what the run was begun with; None in checkpoints from before it was kept.
    """

    step: int
    architecture: str
    options: dict[str, Any]
    weights: dict[str, Tensor]
    optimiser: dict[str, Any]
    averages: dict[str, AverageState]
    best: BestWeights | None
    beginning: Beginning | None = None


def write_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint in place of the one before.

    Raises:
        OutputError: it cannot be written; the one before is as it was.
    """
    content = _as_dict(checkpoint)
    if checkpoint.best is not None:
        content["best"] = _as_dict(checkpoint.best) | {"scores": _as_dict(checkpoint.best.scores)}
    if checkpoint.beginning is not None:
        content["beginning"] = _as_dict(checkpoint.beginning)
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())  # the name must not change hands before the content is there
        part.replace(path)
    except (OSError, RuntimeError) as error:
        # torch reports what the file system says as a RuntimeError of its own.
        with suppress(OSError):
            part.unlink(missing_ok=True)
        cause = error.__context__ if isinstance(error.__context__, OSError) else error
        reason = getattr(cause, "strerror", None) or str(cause).partition("\n")[0]
        before = "the one before is kept" if path.exists() else "there is none before it"
        raise OutputError(
            f"cannot write the checkpoint {path}: {reason}; {before}; make room and start again"
        ) from error


def read_checkpoint(path: Path) -> Checkpoint | None:
    """Read a checkpoint onto the CPU; nothing in it is executed.

    Returns:
        None if there is none.

    Raises:
        TrainingError: it cannot be read now, and is perhaps as sound as can be.
        CheckpointError: it is damaged, or no checkpoint of a run.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if (best := content["best"]) is not None:
            content["best"] = BestWeights(**best | {"scores": Scores(**best["scores"])})
        if (beginning := content.get("beginning")) is not None:
            content["beginning"] = Beginning(**beginning)
        return Checkpoint(**content)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise TrainingError(
            f"cannot read the checkpoint {path}: {error.strerror or error}; it is left as it is: "
            "make it readable and start again, or take another --out"
        ) from error
    except Exception as error:
        if is_out_of_memory(error):
            raise TrainingError(
                f"there is not enough memory to read the checkpoint {path}; it is left as it is: "
                "make room and start again"
            ) from error
        # A damaged file makes torch.load raise nearly anything.
        raise CheckpointError(
            f"{path} is damaged, or no checkpoint of a run ({type(error).__name__}), and cannot be "
            "continued; take another --out, or rename it"
        ) from error


def _as_dict(record: Checkpoint | BestWeights | Scores | Beginning) -> dict[str, Any]:
    """The fields by name; unlike `dataclasses.asdict`, without a copy of the tensors."""
    return {field.name: getattr(record, field.name) for field in fields(record)}
