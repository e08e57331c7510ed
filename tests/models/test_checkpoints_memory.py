"""No file takes more memory than it is long, whatever it announces."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zipfile
import zlib

import pytest
import torch
from checkpoint_material import STEMS, small, zip_of
from safetensors.torch import save_file

from streamsep.models.checkpoints import save_checkpoint


def safetensors_header(path, length, header):
    path.write_bytes(struct.pack("<Q", length) + header)


def zeros_compressed(megabytes, kind):
    """Zeros as gzip (31) or zlib (15), made piece by piece."""
    packer = zlib.compressobj(1, zlib.DEFLATED, kind)
    pieces = [packer.compress(bytes(2**20)) for _ in range(megabytes)]
    return b"".join(pieces) + packer.flush()


def doubled(pair, levels=60):
    """A pickle whose object holds its predecessor twice, sixty times over."""
    start = b"\x80\x02X\x01\x00\x00\x00xq\x00"
    steps = [pair(level) + b"q" + bytes([level + 1]) for level in range(levels)]
    return start + b"".join(steps)


def deep_key(level):
    return b"h" + bytes([level]) + b"h" + bytes([level]) + b"\x86"  # GET, GET, TUPLE2


def deep_list(level):
    return b"](h" + bytes([level]) + b"h" + bytes([level]) + b"e"  # EMPTY_LIST MARK GET GET APPENDS


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value


BIG = 10 * 2**30


def write_bombs(folder):
    """One file of every kind that asks for more than a quarter of a gigabyte, or for ever."""
    safetensors_header(folder / "header of 10 GB", BIG, b'{"a":1}')
    entry = {"dtype": "F32", "shape": [BIG // 4], "data_offsets": [0, BIG]}
    header = json.dumps({"a": entry}).encode()
    safetensors_header(folder / "tensor of 10 GB", len(header), header + bytes(64))
    package = {"klass": "demucs.hdemucs.HDemucs", "args": "[]"}
    for name, options in {
        "10**9 channels": {"channels": 10**9},
        "10**6 layers": {"depth": 10**6},
        "all that is allowed": {"channels": 1024, "growth": 4},
    }.items():
        kwargs = json.dumps({"sources": STEMS, **options})
        save_file({"a": torch.ones(1)}, folder / name, {**package, "kwargs": kwargs})
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\n" + text(b"0") + text(b"cpu")
    count = b"\x8a\x08" + struct.pack("<q", BIG // 4)
    shape = count + b"\x85"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + count + b"tQK\x00" + shape
    tensor += b"K\x01\x85\x89}tR"
    name = text(b"freq_encoder.0.conv.weight")
    zip_of(folder / "storage of 10 GB", b"\x80\x02}" + name + tensor + b"s.", **{"0": bytes(64)})
    (folder / "text of 4 GB").write_bytes(b"\x80\x02X\xff\xff\xff\xff" + b"x" * 64)
    zip_of(folder / "dictionaries", b"\x80\x02" + b"}" * 2 * 10**6 + b".")
    zip_of(folder / "hash without end", doubled(deep_key) + b"}h\x3cK\x01s.")
    zip_of(folder / "list without end", doubled(deep_list) + b".")
    encode = (
        b"c_codecs\nencode\nq\x00" + text(b"x" * 2**20) + b"q\x01" + text(b"latin1") + b"q\x02("
    )
    again = b"h\x00h\x01h\x02\x86R" * 4096
    zip_of(folder / "bytes again and again", b"\x80\x02" + encode + again + b"l.")
    (folder / "gzip").write_bytes(zeros_compressed(64, 31))
    state = {"compressed": zeros_compressed(64, 15)}
    torch.save(state, folder / "zlib in a pickle")
    with zipfile.ZipFile(folder / "zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("evil/data.pkl", b"\x80\x02}.")
        archive.writestr("evil/byteorder", bytes(300 * 2**20))
    os.mkfifo(folder / "pipe")


LOADER = """
import json, resource, signal, sys
from pathlib import Path
import torch
from streamsep.errors import CheckpointError
from streamsep.models.checkpoints import load_checkpoint
torch.set_num_threads(1)
torch.ones(8).sum()
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
most = used + int(sys.argv[2]) * 2**20
resource.setrlimit(resource.RLIMIT_AS, (most, most))
said = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    signal.alarm(20)
    try:
        load_checkpoint(path)
    except CheckpointError as error:
        said[path.name] = str(error)
print(json.dumps(said))
"""


def loaded_within(megabytes, folder):
    """What the files of a folder are refused with, in a process that may take so much more."""
    done = subprocess.run(
        [sys.executable, "-c", LOADER, str(folder), str(megabytes)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


limits_memory = pytest.mark.skipif(
    sys.platform != "linux", reason="limits and measures memory as Linux does"
)


@limits_memory
def test_no_file_takes_more_memory_than_it_is_long(tmp_path):
    write_bombs(tmp_path)
    said = loaded_within(256, tmp_path)
    assert said.keys() == {path.name for path in tmp_path.iterdir()}
    for name, message in said.items():
        assert "\n" not in message, name
        # Running out of memory would be a refusal as well, but by luck.
        assert "MemoryError" not in message, message
        assert "allocate" not in message, message
        assert "not enough memory" not in message, message
    assert "more weights than the file can hold" in said["all that is allowed"]
    assert "becomes more than 32 times as long" in said["gzip"]
    assert "compressed or too large" in said["zip"]
    assert "no regular file" in said["pipe"]


@limits_memory
def test_a_good_file_is_not_blamed_for_a_lack_of_memory(tmp_path):
    path = tmp_path / "good.safetensors"
    save_checkpoint(small(hidden=48), path, licence="none", training="none")
    assert path.stat().st_size > 64 * 2**20
    said = loaded_within(32, tmp_path)[path.name]
    assert said == (
        f"{path}: there is not enough memory to load it; make room, or take a smaller network"
    )
