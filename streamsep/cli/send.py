"""`streamsep send`: a file through the running engine, as live audio or as fast as it goes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamsep.cli.engine_address import EngineAddress, KeysFolder, find_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from bridge.client import LiveStemClient, StemClient
    from streamsep.files import AudioReader

    Samples = NDArray[np.float32]

__all__ = ["send"]

_BLOCK = 1024


def send(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An audio file.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Write the stems there, as float32 wav."),
    ] = None,
    live: Annotated[
        bool,
        typer.Option("--live", help="At the pace of the music, as a sound card would play it."),
    ] = False,
    preset: Annotated[
        str,
        typer.Option(
            "--preset",
            metavar="NAME",
            help="Latency preset; see 'streamsep presets'.",
            show_default="the engine's",
        ),
    ] = "",
    engine: EngineAddress = None,
    keys: KeysFolder = None,
) -> None:
    """Send a file to the engine; others may listen with 'streamsep listen' meanwhile."""
    from bridge.client import LiveStemClient, StemClient
    from streamsep.files import open_audio

    endpoints, guard = find_engine(engine, keys)
    with open_audio(file) as reader:
        rate, channels = reader.sample_rate, reader.channels
        blocks = (block.numpy() for block in reader.blocks(_BLOCK))
        if not live:
            with StemClient(
                sample_rate=rate,
                channels=channels,
                preset=preset,
                address=endpoints.audio,
                keys=guard,
                name=file.name,
            ) as client:
                _write(out, reader, client.stems, client.latency, _push(client, blocks))
            return
        with LiveStemClient(
            sample_rate=rate,
            channels=channels,
            block=_BLOCK,
            preset=preset,
            address=endpoints.audio,
            keys=guard,
            name=file.name,
        ) as player:
            _write(out, reader, player.stems, player.latency, _play(player, blocks, rate))
            counters = player.counters
        typer.echo(
            f"latency {player.latency} samples; {counters.missed} samples without stems in "
            f"{counters.gaps} gaps"
        )


def _push(client: StemClient, blocks: Iterator[Samples]) -> Iterator[Samples]:
    for block in blocks:
        yield client.process(block)
    yield client.flush()


def _play(client: LiveStemClient, blocks: Iterator[Samples], rate: int) -> Iterator[Samples]:
    """At the pace of the music, and silence after it until the last stems are out."""
    import numpy as np

    started_s, position = time.monotonic(), 0

    def paced(block: Samples) -> Samples:
        nonlocal position
        time.sleep(max(0.0, started_s + position / rate - time.monotonic()))
        position += block.shape[-1]
        return client.process(block)

    channels = client.welcome.channels
    for block in blocks:
        yield paced(block)
    left = client.latency
    while left > 0:
        length = min(_BLOCK, left)
        yield paced(np.zeros((channels, length), np.float32))
        left -= length


def _write(
    out: Path | None,
    reader: AudioReader,
    stems: tuple[str, ...],
    latency: int,
    parts: Iterator[Samples],
) -> None:
    """Write stems without the latency at their start; without a folder they are only waited for."""
    from contextlib import ExitStack

    import torch

    from streamsep.files import Encoding, StemWriter, remove_leftovers

    encoding = Encoding(container="wav", samples="float32")
    if out is not None:
        remove_leftovers(out / reader.path.stem)
    with ExitStack() as stack:
        writers: list[StemWriter] = []
        for part in parts:
            if out is not None and not writers:
                writers = [
                    stack.enter_context(
                        StemWriter(
                            out / reader.path.stem / f"{stem}.wav",
                            reader.sample_rate,
                            part.shape[1],
                            encoding,
                            frames=reader.frames,
                        )
                    )
                    for stem in stems
                ]
            skip = min(latency, part.shape[-1])
            latency -= skip
            if out is None:
                continue
            for writer, stem in zip(writers, part, strict=True):
                writer.write(torch.from_numpy(stem[:, skip:]))
