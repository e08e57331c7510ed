"""The training loop: draw, separate, compare, step; average; judge; save; go on after a kill.

Started by itself it uses one process. Started by torchrun, every process takes its share of each
step's examples and the gradients are averaged (`DistributedDataParallel`), which on two CPU cores
is faster than two threads::

    streamsep train starter --data songs --out runs/starter
    torchrun --nproc-per-node 2 --no-python streamsep train starter --data songs --out runs/starter

On the CPU, a run that was killed ends with the bits it would have had.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from torch.nn.parallel import DistributedDataParallel

from streamsep.errors import CheckpointError, OutputError
from streamsep.files import find_tracks
from streamsep.models.architectures import architecture_of
from streamsep.training.agreement import check_agreement
from streamsep.training.batches import Batches
from streamsep.training.beginning import Beginning, check_beginning, where_from
from streamsep.training.checkpoint import CHECKPOINT, Checkpoint, read_checkpoint, write_checkpoint
from streamsep.training.dataset import split_tracks
from streamsep.training.ema import WeightAverages
from streamsep.training.optimisation import Optimisation
from streamsep.training.selection import Selection
from streamsep.training.starting import first_network, network_of
from streamsep.training.team import Team
from streamsep.training.validation import Judge

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import nn

    from streamsep.config.training import TrainingConfig
    from streamsep.files import TrackFolder
    from streamsep.models.architectures import Network
    from streamsep.training.checkpoint import BestWeights
    from streamsep.training.reports import Watcher

__all__ = ["TrainingRun"]

logger = logging.getLogger(__name__)


class TrainingRun:
    """A run that can be killed at any moment and taken up again from its folder.

    Args:
        config: what to do.
        data: folder of songs, see `streamsep.files.stem_folders`.
        out: folder of the run; a checkpoint in it is continued.
        team: from `join_team`; None for this process alone, on the CPU.
        workers: processes that prepare examples; 0 prepares them in the loop.

    Attributes:
        network: what is trained.
        averages: of its weights.
        step: steps done.
        beginning: what the run was begun with.

    Raises:
        ConfigError: the configuration asks for something that cannot be.
        ModelError: the network to start from, or the checkpoint, cannot be used.
        InputError: there are no songs.
        OutputError: the folder cannot be made.
        TrainingError: there is a checkpoint that cannot be read now.
    """

    def __init__(
        self,
        config: TrainingConfig,
        data: Path,
        out: Path,
        *,
        team: Team | None = None,
        workers: int = 0,
    ) -> None:
        self.config = config
        self.out = out
        self.team = team = team or Team()
        self.step = 0
        found = read_checkpoint(self.checkpoint)
        network, licence = self._network_and_licence(found)
        self.network: Network = network.to(team.device)
        self.averages = WeightAverages(self.network, config.averages)
        tracks, held_out = self._find_songs(data)
        self._songs = [[(t.name, t.length) for t in songs] for songs in (tracks, held_out)]
        self._batches = Batches(
            tracks, config, sample_rate=self.network.sample_rate, team=team, workers=workers
        )
        self._optimisation = Optimisation(self.network, config, self._batches, team)
        criterion = self._optimisation.criterion
        judge = Judge(held_out, config.validation, criterion, segment=config.segment, team=team)
        self._selection = Selection(judge, config.validation)
        self.beginning = Beginning(
            examples_per_step=self._batches.per_step,
            start_from=where_from(config.start_from),
            licence=licence,
        )
        if found:
            self._go_on_from(found)
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot write to {out}: {error.strerror or error}; name another folder"
            ) from error

    @property
    def checkpoint(self) -> Path:
        """The file that holds the run's whole state."""
        return self.out / CHECKPOINT

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self._batches.steps

    @property
    def best(self) -> BestWeights | None:
        """The best weights of all validations; None before the first."""
        return self._selection.best

    def kept_network(self) -> Network:
        """A copy of the network with the weights that the run is for, ready to separate.

        The best ones of all validations; without any, the first average, or the last weights.
        """
        return self._selection.kept(self.network, self.averages)

    def run(self, *watchers: Watcher) -> None:
        """Train to the last step.

        Args:
            watchers: hear about every step and validation.

        Raises:
            TrainingError: the processes of the team are not about the same run, the loss or the
                gradient is not finite, or a helper process has died.
            InputError: a song can no longer be read.
            OutputError: a checkpoint cannot be written.
        """
        self._agree()
        model: nn.Module = self.network.train()
        if self.team.size > 1:
            model = DistributedDataParallel(self.network)
        for stems in self._batches.start_at(self.step):
            report = self._optimisation.step(model, stems, self.step)
            # Batch normalisation has seen other examples in every process.
            self.team.follow_leader(self.network.buffers())
            self.averages.end_batch(self.network)
            self.step += 1
            for watcher in watchers:
                watcher.stepped(report)
            judged = self._end_epoch(watchers)
            due = self.step % self.config.checkpoint_every == 0 or self.step == self.steps
            if (due or judged) and self.team.leads:
                self._save()

    def _network_and_licence(self, found: Checkpoint | None) -> tuple[Network, str | None]:
        """The network, and the terms of what it starts from, which a run that goes on has."""
        if found:
            return network_of(found, self.checkpoint, self.config), None
        return first_network(self.config)

    def _agree(self) -> None:
        """Make sure that all processes do the same.

        Raises:
            TrainingError: they would not.
        """
        facts: dict[str, int | str] = {
            "the steps done": self.step,
            "the steps to do": self.steps,
            "their configuration": self.config.model_dump_json(),
            "their songs": repr(self._songs),
        }
        check_agreement(self.team, facts)

    def _find_songs(self, data: Path) -> tuple[Sequence[TrackFolder], Sequence[TrackFolder]]:
        """The songs to learn from and the ones to be judged by."""
        network = self.network
        tracks = find_tracks(
            data,
            network.sources,
            network.sample_rate,
            network.channels,
            stem_names=self.config.data.stem_names,
            subset="train",
        )
        return split_tracks(tracks, self.config.data.validation_share)

    def _end_epoch(self, watchers: Sequence[Watcher]) -> bool:
        """Do what is due after a step if it ended an epoch; return whether weights were judged."""
        epochs, rest = divmod(self.step, self._batches.steps_per_epoch)
        if rest == 0:
            self.averages.end_epoch(self.network)
        ended = epochs if rest == 0 else None
        if not self._selection.is_due(ended, last=self.step == self.steps):
            return False
        epoch = epochs if rest == 0 else epochs + 1
        self._selection.choose(
            self.network, self.averages, step=self.step, epoch=epoch, watchers=watchers
        )
        return True

    def _save(self) -> None:
        checkpoint = Checkpoint(
            step=self.step,
            architecture=architecture_of(self.network).name,
            options=asdict(self.network.config),
            weights=self.network.state_dict(),
            optimiser=self._optimisation.optimiser.state_dict(),
            averages=self.averages.state_dict(),
            best=self.best,
            beginning=self.beginning,
        )
        write_checkpoint(checkpoint, self.checkpoint)
        logger.info("saved %s at step %d", self.checkpoint, self.step)

    def _go_on_from(self, found: Checkpoint) -> None:
        """Take up everything but the network's weights, which it has.

        Raises:
            CheckpointError: the run began with something else, or the checkpoint's averages are
                not those of the configuration.
        """
        if found.beginning is not None:
            self._go_on_as_begun(found.beginning, found.step)
        if found.averages.keys() != self.averages.state_dict().keys():
            raise CheckpointError(
                f"{self.checkpoint} holds the averages {', '.join(found.averages) or 'none'}, the "
                f"configuration asks for {', '.join(self.averages.state_dict()) or 'none'}; "
                "take another --out, or the configuration of that run"
            )
        self.step = found.step
        self._optimisation.go_on_from(found.optimiser)
        self.averages.load_state_dict(found.averages)
        self._take_up_best(found.best)
        logger.info("continuing %s from step %d", self.checkpoint, self.step)

    def _go_on_as_begun(self, begun: Beginning, step: int) -> None:
        """Take up what the run was begun with.

        Raises:
            CheckpointError: now it is something else.
        """
        wanted = self.beginning
        # The end is where it was: with more examples per step epochs would end earlier.
        self._batches.count_by(begun.examples_per_step)
        if step >= self.steps:
            # There is nothing left to draw, on however many processes.
            wanted = replace(wanted, examples_per_step=begun.examples_per_step)
        check_beginning(begun, wanted, self.checkpoint)
        self.beginning = begun

    def _take_up_best(self, best: BestWeights | None) -> None:
        """Take up the best weights so far, or say that they cannot be compared with new ones."""
        if self.step >= self.steps:
            self._selection.best = best  # there will be no new ones
        elif not self._selection.go_on_from(best) and self.team.leads:
            logger.warning(
                "the best weights in %s were judged by other songs or settings than now, and new "
                "ones cannot be compared with them: they are dropped with the next checkpoint, "
                "and the search for the best begins anew",
                self.checkpoint,
            )
