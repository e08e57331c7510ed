"""What is encoded decodes to itself; what is no message is refused, whatever it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from golden_messages import GOLDEN
from hypothesis import given
from hypothesis import strategies as st
from same_message import same

from bridge.protocol import Audio, Bye, Error, ErrorCode, Hello, Mode, Stems, decode, encode
from bridge.protocol.header import HEADER_SIZE, Header
from streamsep.errors import LocalProtocolError, RemoteProtocolError

U32 = st.integers(0, 2**32 - 1)
POSITIONS = st.integers(0, 2**62 - 1)
PRINTABLE = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), max_size=60)


def arrays(*sizes: st.SearchStrategy[int]) -> st.SearchStrategy[np.ndarray]:
    def fill(shape_and_seed: tuple[int, ...]) -> np.ndarray:
        *shape, seed = shape_and_seed
        return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)

    return st.tuples(*sizes, st.integers(0, 99)).map(fill)


@given(
    stream=U32,
    epoch=U32,
    sequence=st.integers(0, 2**64 - 1),
    position=POSITIONS,
    samples=arrays(st.integers(1, 16), st.integers(1, 8), st.integers(0, 300)),
    end=st.booleans(),
    substituted=st.booleans(),
)
def test_stems_come_back_bit_for_bit(**values: object) -> None:
    message = Stems(**values)  # type: ignore[arg-type]
    assert same(decode(encode(message)), message)


@given(samples=arrays(st.integers(1, 8), st.integers(1, 300)), layout=st.sampled_from("CF"))
def test_audio_comes_back_however_it_lay_in_memory(samples: np.ndarray, layout: str) -> None:
    laid = np.array(samples, order=layout)  # type: ignore[call-overload]
    message = Audio(stream=1, epoch=0, sequence=0, position=0, samples=laid)
    assert same(decode(encode(message)), message)


@given(client=PRINTABLE, preset=PRINTABLE, mode=st.sampled_from(Mode), block=st.integers(1, 65536))
def test_hello_comes_back(client: str, preset: str, mode: Mode, block: int) -> None:
    message = Hello(
        client=client, mode=mode, sample_rate=44_100, channels=2, block=block, preset=preset
    )
    assert decode(encode(message)) == message


def test_fields_that_a_later_version_adds_are_skipped() -> None:
    header, body = encode(GOLDEN["welcome"])
    assert decode([header, b"mood=cheerful\n" + bytes(body)]) == GOLDEN["welcome"]


def test_flags_that_a_later_version_adds_are_skipped() -> None:
    header, body = encode(GOLDEN["pong"])
    with_flags = Header.unpack(header)._replace(flags=0xFFFF).pack()
    assert decode([with_flags, body]) == GOLDEN["pong"]


def test_an_error_code_that_a_later_version_adds_is_internal() -> None:
    header, body = encode(GOLDEN["error"])
    message = decode([Header.unpack(header)._replace(flags=999).pack(), body])
    assert isinstance(message, Error)
    assert message.code is ErrorCode.INTERNAL


def test_another_version_is_refused_by_its_number() -> None:
    header, body = encode(GOLDEN["hello"])
    other = header[:4] + bytes([2]) + header[5:]
    with pytest.raises(RemoteProtocolError, match="version 2") as refusal:
        decode([other, body])
    assert refusal.value.code == ErrorCode.VERSION


@given(st.lists(st.binary(max_size=120), max_size=4))
def test_random_frames_are_refused(frames: list[bytes]) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(frames)


@given(
    name=st.sampled_from(sorted(GOLDEN)),
    places=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.integers(0, 400),
)
def test_damaged_messages_are_refused_or_are_other_messages(
    name: str, places: list[tuple[int, int]], cut: int
) -> None:
    header, body = encode(GOLDEN[name])
    data = bytearray(bytes(header) + bytes(body))
    for place, value in places:
        data[place % len(data)] = value
    if cut:
        del data[-(cut % len(data)) or len(data) :]
    try:
        message = decode([bytes(data[:HEADER_SIZE]), bytes(data[HEADER_SIZE:])])
    except RemoteProtocolError:
        return
    # NaN payloads and the like survive; whatever was understood can be said again.
    assert same(decode(encode(message)), message)


@pytest.mark.parametrize(
    ("kind", "samples", "stems", "channels", "size"),
    [
        pytest.param(3, 4, 1, 2, 31, id="a byte is missing"),
        pytest.param(3, 4, 2, 2, 64, id="two mixtures"),
        pytest.param(3, 0, 1, 2, 0, id="audio of no samples"),
        pytest.param(4, 2**32 - 1, 65535, 65535, 8, id="sizes whose product is huge"),
        pytest.param(4, 70_000, 1, 1, 280_000, id="too many samples"),
        pytest.param(4, 1, 0, 0, 0, id="no stems"),
        pytest.param(7, 1, 1, 1, 4, id="a ping with samples"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(
    kind: int, samples: int, stems: int, channels: int, size: int
) -> None:
    header = Header(kind, samples=samples, stems=stems, channels=channels).pack()
    with pytest.raises(RemoteProtocolError):
        decode([header, bytes(size)])


@pytest.mark.parametrize("text", ["4_4", "+5", " 5", "٥", "-1", "1e3", "", "9" * 13])
def test_numbers_are_plain_digits(text: str) -> None:
    header, body = encode(GOLDEN["hello"])
    changed = bytes(body).replace(b"block=512", b"block=" + text.encode())
    with pytest.raises(RemoteProtocolError, match="block"):
        decode([header, changed])


def test_what_would_not_read_back_is_not_sent() -> None:
    hello = Hello(client="", mode=Mode.LIVE, sample_rate=1, channels=1, block=1)
    with pytest.raises(LocalProtocolError, match="preset"):
        encode(replace(hello, preset="two\nlines"))
    with pytest.raises(LocalProtocolError, match="at most"):
        encode(
            Audio(stream=1, epoch=0, sequence=0, position=0, samples=np.zeros((33, 8), np.float32))
        )


@pytest.mark.parametrize("name", ["two\nlines", "no\u3000text\udce9", "a" * 1000])
def test_a_client_may_have_the_name_of_any_file(name: str) -> None:
    hello = Hello(client=name, mode=Mode.LIVE, sample_rate=1, channels=1, block=1)
    message = decode(encode(hello))
    assert isinstance(message, Hello)
    assert message.client.startswith(name[:2])


def test_texts_for_people_are_made_to_fit() -> None:
    message = decode(encode(Bye(stream=1, reason="two\nlines\x00" + "x" * 10_000)))
    assert isinstance(message, Bye)
    assert message.reason.startswith("two lines ")
    assert len(message.reason) == 400
