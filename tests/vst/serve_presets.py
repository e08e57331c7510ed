"""An engine with every latency preset, as a process of its own.

python serve_presets.py FOLDER [--starter | --gains G,G,G,G] [--stems NAMES] [--tcp ADDRESS]
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import fakes

from bridge.run_folder import EngineLock, ipc_endpoints, tcp_endpoints
from bridge.server import Engine, EngineServer
from streamsep import load_separator
from streamsep.config import load_presets


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--starter", action="store_true")
    parser.add_argument("--gains", help="stems are these parts of the mixture, without memory")
    parser.add_argument("--stems", default=",".join(fakes.STEMS))
    parser.add_argument("--tcp")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lock = EngineLock(options.folder)
    if options.starter:
        separator = load_separator("starter")
    elif options.gains:
        separator = fakes.Gains(stride=2048, gains=tuple(map(float, options.gains.split(","))))
    else:
        separator = fakes.SegmentShaped(stride=2048, sources=tuple(options.stems.split(",")))
    engine = Engine(separator, "fake", torch.device("cpu"), presets=load_presets(), preset="studio")
    endpoints = [ipc_endpoints(options.folder)]
    if options.tcp:
        endpoints.append(tcp_endpoints(options.tcp))
    server = EngineServer(engine, endpoints)
    signal.signal(signal.SIGTERM, lambda *_: server.stop())

    def say_ready() -> None:
        sys.stdout.write("READY\n")
        sys.stdout.flush()

    server.run(say_ready)
    lock.release()


if __name__ == "__main__":
    main()
