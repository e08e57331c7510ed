"""Messages to frames and back: a header, and a body that is text, samples or nothing.

Every message is two frames, so that a reader always knows how many to take. Decoding trusts nobody:
whatever arrives becomes a message whose every field is within its limits, or `RemoteProtocolError`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

from bridge.protocol.fields import format_fields, parse_fields
from bridge.protocol.header import Header
from bridge.protocol.limits import (
    HIGHEST_POSITION,
    LARGEST_BODY,
    LONGEST_BLOCK,
    MOST_CHANNELS,
    MOST_STEMS,
)
from bridge.protocol.messages import (
    Audio,
    Bye,
    Error,
    ErrorCode,
    Flush,
    Hello,
    Kind,
    Message,
    Mode,
    Ping,
    Pong,
    Reset,
    Stems,
    Welcome,
)
from bridge.protocol.stem_list import join_stems, split_stems
from streamsep.errors import LocalProtocolError, RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Frame = bytes | memoryview

__all__ = ["decode", "encode", "topic_of"]

_END = 1
_SUBSTITUTED = 2
_BUSY = 1
_HIGHEST_RATE = 768_000
_LONGEST_DELAY = 1 << 31


def encode(message: Message) -> tuple[bytes, Frame]:
    """The two frames of a message. Samples that are already contiguous are not copied.

    Raises:
        LocalProtocolError: the message holds what cannot be sent.
    """
    match message:
        case Hello() | Welcome() | Error() | Bye():
            return _encode_text(message)
        case Audio(samples=samples):
            return _encode_samples(Kind.AUDIO, 0, message, samples[np.newaxis])
        case Stems(samples=samples):
            flags = _END * message.end | _SUBSTITUTED * message.substituted
            return _encode_samples(Kind.STEMS, flags, message, samples)
        case Flush():
            header = Header(Kind.FLUSH, stream=message.stream, epoch=message.epoch)
        case Reset():
            header = Header(
                Kind.RESET, stream=message.stream, epoch=message.epoch, position=message.position
            )
        case Ping():
            header = Header(Kind.PING, stream=message.stream, sequence=message.sequence)
        case Pong():
            header = Header(
                Kind.PONG, _BUSY * message.busy, message.stream, sequence=message.sequence
            )
    return header.pack(), b""


def decode(frames: Sequence[Frame]) -> Message:
    """The message that two frames hold. Its samples are a read-only view of the second one.

    Raises:
        RemoteProtocolError: they hold none.
    """
    if len(frames) != 2:
        raise RemoteProtocolError(f"expected a message of 2 frames, got {len(frames)}")
    header, body = Header.unpack(frames[0]), frames[1]
    if len(body) > LARGEST_BODY:
        raise RemoteProtocolError(
            f"a body of {len(body)} bytes, at most {LARGEST_BODY} allowed", code=ErrorCode.LIMIT
        )
    if header.type not in _DECODERS:
        raise RemoteProtocolError(f"no message has the type {header.type}")
    if header.position > HIGHEST_POSITION:
        raise RemoteProtocolError(f"position {header.position} is beyond {HIGHEST_POSITION}")
    kind = Kind(header.type)
    if kind not in (Kind.AUDIO, Kind.STEMS) and (header.samples or header.stems or header.channels):
        raise RemoteProtocolError(f"{kind.name} holds no samples, but its header says so")
    return _DECODERS[kind](header, body)


def topic_of(stream: int, stem: str) -> bytes:
    """The topic under which one stem of a session is broadcast."""
    return f"{stream:08x}/{stem}".encode()


def _encode_text(message: Hello | Welcome | Error | Bye) -> tuple[bytes, bytes]:
    match message:
        case Hello():
            header = Header(Kind.HELLO)
            fields: dict[str, object] = {
                name: getattr(message, name) for name in Hello.__dataclass_fields__
            }
            # Often the name of a file, which may hold anything; so is that of a network.
            fields["client"] = _one_line(message.client)
        case Welcome():
            header = Header(Kind.WELCOME, stream=message.stream)
            fields = {name: getattr(message, name) for name in Welcome.__dataclass_fields__}
            del fields["stream"]
            fields["model"] = _one_line(message.model)
            fields["stems"] = join_stems(message.stems)
        case Error():
            header = Header(Kind.ERROR, message.code, message.stream)
            fields = {"text": _one_line(message.text)}
        case Bye():
            header = Header(Kind.BYE, stream=message.stream)
            fields = {"reason": _one_line(message.reason)}
    return header.pack(), format_fields(fields)


def _one_line(text: str) -> str:
    """A text for people, made to fit: it may hold what somebody else chose."""
    return "".join(char if char.isprintable() else " " for char in text)[:400]


def _encode_samples(
    kind: Kind, flags: int, message: Audio | Stems, samples: NDArray[np.float32]
) -> tuple[bytes, Frame]:
    if samples.ndim != 3:
        raise LocalProtocolError(f"samples of a {kind.name} have {samples.ndim} dimensions")
    stems, channels, length = samples.shape
    if stems > MOST_STEMS or channels > MOST_CHANNELS or length > LONGEST_BLOCK:
        raise LocalProtocolError(
            f"{stems} stems of {channels} channels of {length} samples; at most {MOST_STEMS} of "
            f"{MOST_CHANNELS} of {LONGEST_BLOCK} allowed"
        )
    header = Header(
        kind,
        flags,
        message.stream,
        message.epoch,
        message.sequence,
        message.position,
        length,
        stems,
        channels,
    )
    planar = np.ascontiguousarray(samples, dtype="<f4")
    if planar.nbytes > LARGEST_BODY:
        raise LocalProtocolError(f"{planar.nbytes} bytes in a message, at most {LARGEST_BODY}")
    return header.pack(), planar.data.cast("B") if planar.size else b""


def _decode_samples(header: Header, body: Frame) -> NDArray[np.float32]:
    """The body as [S, C, T]."""
    shape = (header.stems, header.channels, header.samples)
    if not (1 <= shape[0] <= MOST_STEMS and 1 <= shape[1] <= MOST_CHANNELS):
        raise RemoteProtocolError(f"{shape[0]} stems of {shape[1]} channels are not possible")
    if shape[2] > LONGEST_BLOCK:
        raise RemoteProtocolError(
            f"{shape[2]} samples in a message, at most {LONGEST_BLOCK} allowed",
            code=ErrorCode.LIMIT,
        )
    expected = 4 * shape[0] * shape[1] * shape[2]
    if len(body) != expected:
        raise RemoteProtocolError(
            f"the header says {shape[0]} × {shape[1]} × {shape[2]} samples, which are {expected} "
            f"bytes; got {len(body)}"
        )
    samples = np.frombuffer(body, "<f4").reshape(shape)
    return samples if sys.byteorder == "little" else samples.astype(np.float32)


def _decode_hello(header: Header, body: Frame) -> Hello:
    fields = parse_fields(body)
    mode = _text(fields, "mode")
    if mode not in set(Mode):
        raise RemoteProtocolError(f"the mode is {' or '.join(Mode)}, got {mode!r}")
    return Hello(
        client=_text(fields, "client"),
        mode=Mode(mode),
        sample_rate=_number(fields, "sample_rate", 1, _HIGHEST_RATE),
        channels=_number(fields, "channels", 1, MOST_CHANNELS),
        block=_number(fields, "block", 1, LONGEST_BLOCK),
        preset=fields.get("preset", ""),
        consistency=fields.get("consistency", ""),
        budget=_number(fields, "budget", 0, _LONGEST_DELAY) if "budget" in fields else 0,
    )


def _decode_welcome(header: Header, body: Frame) -> Welcome:
    fields = parse_fields(body)
    if header.stream == 0:
        raise RemoteProtocolError("WELCOME gives the session no number")
    return Welcome(
        stream=header.stream,
        engine=_text(fields, "engine"),
        model=_text(fields, "model"),
        stems=split_stems(_text(fields, "stems")),
        sample_rate=_number(fields, "sample_rate", 1, _HIGHEST_RATE),
        channels=_number(fields, "channels", 1, MOST_CHANNELS),
        preset=_text(fields, "preset"),
        consistency=_text(fields, "consistency"),
        network_latency=_number(fields, "network_latency", 0, _LONGEST_DELAY),
        resampling_latency=_number(fields, "resampling_latency", 0, _LONGEST_DELAY),
        budget=_number(fields, "budget", 0, _LONGEST_DELAY),
        window=_number(fields, "window", 1, _LONGEST_DELAY),
        heartbeat_ms=_number(fields, "heartbeat_ms", 1, 60_000),
        timeout_ms=_number(fields, "timeout_ms", 1, 600_000),
    )


def _decode_audio(header: Header, body: Frame) -> Audio:
    if header.stems != 1 or header.samples == 0:
        raise RemoteProtocolError(
            f"AUDIO holds one mixture of 1 sample or more, got {header.stems} of {header.samples}"
        )
    return Audio(
        stream=header.stream,
        epoch=header.epoch,
        sequence=header.sequence,
        position=header.position,
        samples=_decode_samples(header, body)[0],
    )


def _decode_stems(header: Header, body: Frame) -> Stems:
    return Stems(
        stream=header.stream,
        epoch=header.epoch,
        sequence=header.sequence,
        position=header.position,
        samples=_decode_samples(header, body),
        end=bool(header.flags & _END),
        substituted=bool(header.flags & _SUBSTITUTED),
    )


def _decode_error(header: Header, body: Frame) -> Error:
    known = header.flags in set(ErrorCode)
    return Error(
        stream=header.stream,
        code=ErrorCode(header.flags) if known else ErrorCode.INTERNAL,
        text=_text(parse_fields(body), "text"),
    )


def _decode_reset(header: Header, body: Frame) -> Reset:
    return Reset(stream=header.stream, epoch=header.epoch, position=header.position)


def _decode_pong(header: Header, body: Frame) -> Pong:
    return Pong(stream=header.stream, sequence=header.sequence, busy=bool(header.flags & _BUSY))


_DECODERS: dict[int, Callable[[Header, Frame], Message]] = {
    Kind.HELLO: _decode_hello,
    Kind.WELCOME: _decode_welcome,
    Kind.AUDIO: _decode_audio,
    Kind.STEMS: _decode_stems,
    Kind.FLUSH: lambda header, body: Flush(stream=header.stream, epoch=header.epoch),
    Kind.RESET: _decode_reset,
    Kind.PING: lambda header, body: Ping(stream=header.stream, sequence=header.sequence),
    Kind.PONG: _decode_pong,
    Kind.ERROR: _decode_error,
    Kind.BYE: lambda header, body: Bye(
        stream=header.stream, reason=parse_fields(body).get("reason", "")
    ),
}


def _text(fields: dict[str, str], name: str) -> str:
    if name not in fields:
        raise RemoteProtocolError(f"the field {name} is missing")
    return fields[name]


def _number(fields: dict[str, str], name: str, lowest: int, highest: int) -> int:
    text = _text(fields, name)
    # int() would also take signs, spaces, underscores and other alphabets' digits.
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise RemoteProtocolError(f"the field {name} is a whole number, got {text[:40]!r}")
    if not lowest <= int(text) <= highest:
        raise RemoteProtocolError(f"{name} is {lowest} to {highest}, got {text}")
    return int(text)
