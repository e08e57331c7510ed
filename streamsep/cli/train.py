"""`streamsep train`: a network from a configuration and a folder of songs."""

from __future__ import annotations

import os
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from streamsep.errors import ConfigError, MissingToolError, TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

    from streamsep.config.training import TrainingConfig
    from streamsep.training.loop import TrainingRun
    from streamsep.training.reports import Watcher
    from streamsep.training.team import Team

__all__ = ["train"]

INTERRUPTED = 130


def train(
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG", help="A configuration by name, such as 'starter', or a YAML file."
        ),
    ],
    data: Annotated[
        Path,
        typer.Option("--data", metavar="FOLDER", help="Folder of songs, see 'streamsep render'."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="OUT", help="Folder of the run; one that is there is continued."
        ),
    ],
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            metavar="N",
            min=1,
            help="Steps in all.",
            show_default="what the configuration says",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            metavar="N",
            min=1,
            help="Passes over the songs in all.",
            show_default="what the configuration says",
        ),
    ] = None,
    start_from: Annotated[
        str | None,
        typer.Option(
            "--start-from",
            metavar="MODEL",
            help="Go on from a network, by name or file, instead of random weights.",
            show_default="what the configuration says",
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            metavar="DEVICE",
            help="cpu, cuda or cuda:N; cuda is a GPU for each process that torchrun started.",
            show_default="cuda if there is one",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            min=0,
            help="Processes that prepare examples, for each that trains; with 0 it does so itself, "
            "between its steps.",
            show_default="0 on the CPU; on a GPU its share of the cores, at most 2 x batch_size",
        ),
    ] = None,
) -> None:
    """Train a network and write it to OUT/network.safetensors.

    The run may be stopped at any time; the same command continues it from its last checkpoint. On
    several processes: torchrun --nproc-per-node 2 --no-python streamsep train ...
    """
    from streamsep.config.training import load_training_config

    stated = load_training_config(config)
    settings = _with_options(stated, steps, epochs, start_from)
    from streamsep.devices.allocator import keep_freed_memory
    from streamsep.training.team import join_team

    keep_freed_memory()
    place = _choose_device(device)
    with (
        _team_of(join_team, place) as team,
        _memory_of(team.device, settings, out),
        _alone_in(out, team),
    ):
        from streamsep.training.loop import TrainingRun

        if workers is None:
            workers = _choose_workers(team.device, settings)
        run = TrainingRun(settings, data, out, team=team, workers=workers)
        _train_or_stop(run)
        if team.leads:
            name = Path(config).name.removesuffix(".yaml")
            _write_network(run, stated, name=name, songs=data.resolve().name)


def _with_options(
    settings: TrainingConfig, steps: int | None, epochs: int | None, start_from: str | None
) -> TrainingConfig:
    """A configuration with what the options say in place of what it says.

    Raises:
        ConfigError: the options contradict each other.
    """
    if steps is not None and epochs is not None:
        raise ConfigError("got both --steps and --epochs, expected one of them")
    changes: dict[str, object] = {}
    if steps is not None or epochs is not None:
        changes |= {"steps": steps, "epochs": epochs}
    if start_from is not None:
        changes |= {"start_from": start_from, "network": None}
    return settings.model_copy(update=changes)


def _choose_device(wanted: str | None) -> torch.device:
    """The device that was asked for, or this process's GPU, or the CPU; one that works.

    Raises:
        ConfigError: it does not, or the other processes of this machine would have it, too.
    """
    import torch

    own = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"  # torchrun numbers a machine's processes
    if wanted is None:
        wanted = own if torch.cuda.is_available() else "cpu"
    elif wanted == "cuda":
        wanted = own
    elif wanted.startswith("cuda:") and _processes_here() > 1:
        raise ConfigError(
            f"got --device {wanted} for {_processes_here()} processes, which would all share it; "
            "take --device cuda, which is a GPU for each, and choose GPUs by CUDA_VISIBLE_DEVICES"
        )
    try:
        device = torch.device(wanted)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        # torch raises either for a device that it was not built for or that is not there.
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"device '{wanted}' cannot be used here: {reason}") from error
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


def _processes_here() -> int:
    """How many processes of the run there are on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def _choose_workers(device: torch.device, settings: TrainingConfig) -> int:
    from streamsep.measuring.machine import usable_cores
    from streamsep.training.batches import choose_workers

    return choose_workers(
        device, settings.batch_size, cores=usable_cores(), processes=_processes_here()
    )


@contextmanager
def _team_of(join: Callable[[torch.device], Team], device: torch.device) -> Iterator[Team]:
    """Meet the other processes, and part from them in the end.

    Raises:
        TrainingError: one of them has gone before.
    """
    import torch

    from streamsep.training.team import losses_explained

    with losses_explained():
        team = join(device)
        if team.size > 1 and device.type == "cpu":
            # One thread per process: the processes are what fills the cores.
            torch.set_num_threads(1)
        try:
            yield team
        finally:
            if team.size > 1:
                torch.distributed.destroy_process_group()


@contextmanager
def _alone_in(out: Path, team: Team) -> Iterator[None]:
    """Keep the folder of the run to this team, from before anything in it is read.

    Raises:
        ConfigError: another run is at work there.
        OutputError: the folder cannot be made.
    """
    from streamsep.training.alone import alone_in

    with alone_in(out) if team.leads else nullcontext():
        team.meet()
        yield


@contextmanager
def _memory_of(device: torch.device, settings: TrainingConfig, out: Path) -> Iterator[None]:
    """Say what to do about memory that runs out meanwhile.

    Args:
        device: whose memory.
        settings: of the run.
        out: its folder.

    Raises:
        TrainingError: it did.
    """
    from streamsep.devices.out_of_memory import is_out_of_memory
    from streamsep.training.checkpoint import CHECKPOINT

    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        advice = "a smaller batch_size or segment"
        if (out / CHECKPOINT).exists():
            # The examples per step of a run that goes on must stay as many.
            advice = "a smaller segment, or more processes with a smaller batch_size each"
        raise TrainingError(
            f"the memory of {device} does not hold the network and a batch of "
            f"{settings.batch_size} examples of {settings.segment} samples; take {advice}"
        ) from error


def _train_or_stop(run: TrainingRun) -> None:
    """Train; on Ctrl-C say how to go on."""
    try:
        with _watchers_of(run) as watchers:
            run.run(*watchers)
    except KeyboardInterrupt:
        _stopped(run)


def _stopped(run: TrainingRun) -> NoReturn:
    if run.team.leads:
        kept = (
            "the same command continues from the last checkpoint"
            if run.checkpoint.exists()
            else "it was before the first checkpoint, so nothing is kept"
        )
        typer.echo(f"stopped at step {run.step}; {kept}", err=True)
    raise SystemExit(INTERRUPTED)


@contextmanager
def _watchers_of(run: TrainingRun) -> Iterator[list[Watcher]]:
    """The tables, the curves and the screen; only one process of a team has them."""
    if not run.team.leads:
        yield []
        return
    from streamsep.cli.train_progress import TrainingProgress
    from streamsep.training.csv_log import CsvLog
    from streamsep.training.tensorboard_log import TensorBoardLog

    watchers: list[Watcher] = [CsvLog(run.out, run.step, run.network.sources)]
    try:
        watchers.append(TensorBoardLog(run.out / "tensorboard", run.step))
    except MissingToolError as error:
        typer.echo(f"note: {error}", err=True)
    with TrainingProgress(run.step, run.steps) as progress:
        yield [*watchers, progress]


def _write_network(run: TrainingRun, stated: TrainingConfig, *, name: str, songs: str) -> None:
    """Write the weights that are kept, and what they are made from.

    Args:
        run: at its end.
        stated: the configuration as its file says, without options.
        name: of the configuration.
        songs: name of their folder.
    """
    from streamsep.models.checkpoints import save_checkpoint
    from streamsep.training.provenance import licence_of, note_of

    path = run.out / "network.safetensors"
    save_checkpoint(
        run.kept_network(),
        path,
        licence=licence_of(stated, run.beginning),
        training=note_of(stated, run.beginning, name=name, songs=songs, steps=run.step),
        dtype="fp16",
    )
    which = f"{run.step} steps"
    if run.best is not None:
        scores = run.best.scores
        which = (
            f"the best weights of {run.step} steps ({scores.weights}, step {run.best.step}, "
            f"nSDR {scores.mean_nsdr_db:.2f} dB)"
        )
    typer.echo(f"wrote {path}, {which}; try it: streamsep separate -n {path} FILE")
