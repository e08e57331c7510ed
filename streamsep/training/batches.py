"""Which examples every step of every process takes.

All examples of a run are numbered. A step takes the next ones, and every process its share of them,
so a run goes on from any step with the examples it would have had. How many a step takes, of all
processes together, must stay the same: on twice as many processes with half the `batch_size` the
examples of every step are the same, with the same `batch_size` they are not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from streamsep.devices.out_of_memory import is_out_of_memory
from streamsep.errors import StreamSepError, TrainingError
from streamsep.training.dataset import Examples

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streamsep.config.training import TrainingConfig
    from streamsep.files import TrackFolder
    from streamsep.training.team import Team

__all__ = ["Batches", "choose_workers"]

BATCHES_AHEAD = 2
"""As many examples as these hold are prepared at once, and no more."""

_ORIGINAL = re.compile(r"^[\w.]*Error: .*", re.MULTILINE)
"""What an error was, in the traceback that torch makes of one of another process."""


def choose_workers(device: torch.device, batch_size: int, *, cores: int, processes: int) -> int:
    """How many processes should prepare examples for one that trains.

    On the CPU none: they would take from the loop what they give it. A GPU would wait for the loop.

    Args:
        device: where it computes.
        batch_size: examples that it takes in a step.
        cores: of the machine.
        processes: that train on this machine.
    """
    if device.type == "cpu":
        return 0
    return min(max(1, cores // processes), BATCHES_AHEAD * batch_size)


class Batches:
    """The batches of one process.

    Args:
        tracks: songs to learn from.
        config: of the run.
        sample_rate: samples per second of the tracks.
        team: the processes that share the examples.
        workers: processes that prepare examples; 0 prepares them in this one.

    Attributes:
        per_step: examples of a step, of all processes together.
        steps: of the whole run.
        steps_per_epoch: an epoch has as many full steps as its examples make, at least one.
    """

    def __init__(
        self,
        tracks: Sequence[TrackFolder],
        config: TrainingConfig,
        *,
        sample_rate: int,
        team: Team,
        workers: int,
    ) -> None:
        self._batch_size = config.batch_size
        self._team = team
        self._workers = workers
        self._examples = Examples(
            tracks,
            config.segment,
            config.augmentation,
            sample_rate=sample_rate,
            seed=config.seed,
            data=config.data,
        )
        self._config = config
        self.count_by(config.batch_size * team.size)

    def count_by(self, per_step: int) -> None:
        """Count the run's steps and epochs as if a step took some number of examples."""
        self.per_step = per_step
        self.steps_per_epoch = max(1, self._examples.per_epoch // per_step)
        self.steps = self._config.steps or (self._config.epochs or 0) * self.steps_per_epoch
        self._examples.count = self.steps * per_step

    def indices(self, step: int) -> list[int]:
        """The numbers of the examples that this process takes in a step."""
        share = step * self._team.size + self._team.rank
        return list(range(share * self._batch_size, (share + 1) * self._batch_size))

    def start_at(self, step: int) -> Iterator[Tensor]:
        """The batches [B, S, C, T] from a step to the last, on the team's device.

        Raises:
            InputError: songs that could be read no longer can.
            TrainingError: a process that prepares examples has died, or cannot be heard.
        """
        to_gpu = self._team.device.type == "cuda"
        loader = DataLoader(
            _Guarded(self._examples),
            batch_sampler=_Numbers(self, step),
            num_workers=self._workers,
            collate_fn=_stack,
            pin_memory=to_gpu,  # or the copy would wait for the step before it
        )
        batches = iter(loader)
        for number in range(step, self.steps):
            try:
                batch = next(batches)
            except RuntimeError as error:
                # Memory has an explanation of its own, and without helpers it is none of theirs.
                if self._workers == 0 or is_out_of_memory(error):
                    raise
                raise TrainingError(
                    f"a process that prepares examples has ended ({_reason(error):.120}); start "
                    "again, with fewer --workers if memory is short"
                ) from error
            if isinstance(batch, StreamSepError):
                raise batch
            batch = batch.to(self._team.device, non_blocking=to_gpu)
            yield self._examples.augment_batch(batch, number, self._team.rank)


class _Numbers(Sampler[list[int]]):
    """The numbers of the examples of every step from one on, made as they are asked for."""

    def __init__(self, batches: Batches, step: int) -> None:
        self._batches = batches
        self._step = step

    def __len__(self) -> int:
        return self._batches.steps - self._step

    def __iter__(self) -> Iterator[list[int]]:
        return (self._batches.indices(step) for step in range(self._step, self._batches.steps))


class _Guarded(Dataset["Tensor | StreamSepError"]):
    """Examples whose errors come back as values: from another process they come as tracebacks."""

    def __init__(self, examples: Examples) -> None:
        self._examples = examples

    def __getitem__(self, index: int) -> Tensor | StreamSepError:
        try:
            return self._examples[index]
        except StreamSepError as error:
            return error


def _reason(error: RuntimeError) -> str:
    """What a loader's error says, in one line."""
    original = _ORIGINAL.search(str(error))
    return original[0] if original else str(error).partition("\n")[0]


def _stack(examples: list[Tensor | StreamSepError]) -> Tensor | StreamSepError:
    tensors = []
    for example in examples:
        if isinstance(example, StreamSepError):
            return example
        tensors.append(example)
    return torch.stack(tensors)
