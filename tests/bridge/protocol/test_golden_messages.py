"""Other implementations check themselves against these files: this one reads and writes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from golden_messages import GOLDEN
from same_message import same

from bridge.protocol import decode, encode
from bridge.protocol.header import HEADER_SIZE

FILES = Path(__file__).parents[2] / "data" / "protocol"


@pytest.mark.parametrize("name", GOLDEN)
def test_a_message_is_encoded_to_the_bytes_of_its_file(name: str) -> None:
    header, body = encode(GOLDEN[name])
    assert bytes(header) + bytes(body) == (FILES / f"{name}.bin").read_bytes()


@pytest.mark.parametrize("name", GOLDEN)
def test_a_file_is_decoded_to_its_message(name: str) -> None:
    data = (FILES / f"{name}.bin").read_bytes()
    assert same(decode([data[:HEADER_SIZE], data[HEADER_SIZE:]]), GOLDEN[name])


def test_every_file_has_its_message() -> None:
    assert {file.stem for file in FILES.glob("*.bin")} == set(GOLDEN)
