"""`streamsep listen`: one stem of a running session, into a file or a pipe."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamsep.cli.ending_signals import EndingSignals
from streamsep.cli.engine_address import EngineAddress, KeysFolder, find_engine

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from bridge.client import StemListener
    from bridge.keys import ClientKeys
    from bridge.run_folder import Endpoints

    Samples = NDArray[np.float32]

__all__ = ["listen"]

_PATIENCE_S = 1.0


def listen(
    stem: Annotated[str, typer.Option("--stem", metavar="NAME", help="Which stem.")],
    out: Annotated[
        str,
        typer.Option(
            "-o", "--out", metavar="FILE|-", help="A float32 wav, or - for raw float32 samples."
        ),
    ],
    session: Annotated[
        str | None,
        typer.Option(
            "--session", metavar="NUMBER", help="Which session.", show_default="the newest"
        ),
    ] = None,
    wait_s: Annotated[
        float, typer.Option("--wait", metavar="S", min=0.0, help="Wait for a session that long.")
    ] = 10.0,
    engine: EngineAddress = None,
    keys: KeysFolder = None,
) -> None:
    """Hear one stem of a session that somebody else plays, until it ends or is interrupted.

    To a pipe, channels are interleaved: 'streamsep listen --stem vocals -o - | aplay -f FLOAT_LE
    -r 44100 -c 2'. What this end is too slow for is lost, and counted at the end.
    """
    from bridge.client import StemListener

    endpoints, guard = find_engine(engine, keys)
    found = _await_session(endpoints, guard, session, stem, wait_s)
    stream = int(found["stream"], 16)
    with ExitStack() as stack:
        listener = stack.enter_context(StemListener(endpoints.stems, stream, stem, keys=guard))
        signals = EndingSignals()
        write = _raw_writer(signals) if out == "-" else _file_writer(stack, Path(out), found)

        def goes_on() -> bool:
            return any(each["stream"] == found["stream"] for each in _sessions(endpoints, guard))

        _pour(listener, signals, goes_on, write)
    if listener.lost:
        typer.echo(f"{listener.lost} samples were lost: this end was too slow", err=True)


def _pour(
    listener: StemListener,
    signals: EndingSignals,
    goes_on: Callable[[], bool],
    write: Callable[[Samples], None],
) -> None:
    """Hand on what is heard until the session is over, or the engine is, or a signal comes."""
    from streamsep.errors import EngineError

    try:
        while not (listener.ended or signals.came):
            samples = None
            with signals.at_once():
                samples = listener.receive(_PATIENCE_S)
                if samples is None and not goes_on():
                    return
            if samples is not None:
                write(samples)
    except KeyboardInterrupt:
        signals.came = True  # it came in the moment in which `at_once` had ended
    except EngineError as error:
        typer.echo(f"the engine is gone, what was heard is kept: {error}", err=True)


def _file_writer(
    stack: ExitStack, path: Path, session: dict[str, Any]
) -> Callable[[Samples], None]:
    """Writes a float32 wav, which gets its name when the stack is left."""
    import torch

    from streamsep.files import Encoding, StemWriter, remove_leftovers

    remove_leftovers(path.parent)
    encoding = Encoding(container="wav", samples="float32")
    writer = stack.enter_context(
        StemWriter(path, session["sample_rate"], session["channels"], encoding)
    )
    return lambda samples: writer.write(torch.tensor(samples))


def _raw_writer(signals: EndingSignals) -> Callable[[Samples], None]:
    """Writes to standard output, for as long as whoever reads it lets it wait."""

    def write(samples: Samples) -> None:
        with signals.at_once():
            sys.stdout.buffer.write(samples.T.tobytes())
            sys.stdout.buffer.flush()

    return write


def _sessions(endpoints: Endpoints, keys: ClientKeys | None) -> list[dict[str, Any]]:
    from bridge.client import ask_engine

    found: list[dict[str, Any]] = ask_engine(
        {"request": "status"}, address=endpoints.control, keys=keys
    )["sessions"]
    return found


def _await_session(
    endpoints: Endpoints,
    keys: ClientKeys | None,
    number: str | None,
    stem: str,
    wait_s: float,
) -> dict[str, Any]:
    """The session that is asked for, or the newest one.

    Raises:
        ConfigError: there is none, or it has no such stem.
    """
    from streamsep.errors import ConfigError

    end_s = time.monotonic() + wait_s
    while True:
        found = [each for each in _sessions(endpoints, keys) if number in (None, each["stream"])]
        if found:
            break
        if time.monotonic() >= end_s:
            wanted = "no session is open" if number is None else f"no session has number {number}"
            raise ConfigError(f"{wanted}; 'streamsep status' shows what the engine does")
        time.sleep(0.05)
    stems = found[-1]["stems"]
    if stem not in stems:
        raise ConfigError(f"the session has no stem '{stem}', expected {', '.join(stems)}")
    return found[-1]
