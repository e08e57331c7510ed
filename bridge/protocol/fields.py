"""Named values as text, one `name=value` a line: the body of messages that are not audio.

Chosen over JSON because the other end may be forty lines of C++ inside somebody's DAW. Names that a
reader does not know are skipped, which is how later versions add to the protocol.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bridge.protocol.limits import LARGEST_FIELDS
from streamsep.errors import LocalProtocolError, RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["format_fields", "parse_fields"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


def format_fields(values: Mapping[str, object]) -> bytes:
    """Write values in order.

    Raises:
        LocalProtocolError: a name or value cannot be written so that it reads back.
    """
    lines = []
    for name, value in values.items():
        text = str(value)
        if not _NAME.fullmatch(name) or not (text.isprintable() or not text):
            raise LocalProtocolError(f"cannot send the field {name!r} with the value {text!r}")
        lines.append(f"{name}={text}\n")
    body = "".join(lines).encode()
    if len(body) > LARGEST_FIELDS:
        raise LocalProtocolError(f"fields of {len(body)} bytes, at most {LARGEST_FIELDS} allowed")
    return body


def parse_fields(body: bytes | memoryview) -> dict[str, str]:
    """Read what `format_fields` wrote, or what another implementation did.

    Raises:
        RemoteProtocolError: it is not of that form, or larger than allowed.
    """
    if len(body) > LARGEST_FIELDS:
        raise RemoteProtocolError(f"fields of {len(body)} bytes, at most {LARGEST_FIELDS} allowed")
    try:
        text = bytes(body).decode()
    except UnicodeDecodeError as error:
        raise RemoteProtocolError(f"fields are not UTF-8: {error.reason}") from error
    fields: dict[str, str] = {}
    for line in text.split("\n"):
        if not line:
            continue
        name, equals, value = line.partition("=")
        if not equals or not _NAME.fullmatch(name) or not (value.isprintable() or not value):
            raise RemoteProtocolError(f"expected a line name=value, got {line[:40]!r}")
        if name in fields:
            raise RemoteProtocolError(f"the field {name} is there twice")
        fields[name] = value
    return fields
