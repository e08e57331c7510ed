"""What the plugin says about itself: it stands in its saved state, which any host can ask for.

pedalboard never sees a plugin's output parameters, so the state is the one way out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamsep.errors import InputError
from vst_wrapper.shim.preset_file import PresetFile

if TYPE_CHECKING:
    import pedalboard

__all__ = ["ShimStatus", "change_state", "shim_status"]

_TITLE = "streamsep plugin state 1\n"
_COMPONENT = b"Comp"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShimStatus:
    """How it stands with the plugin; counters run from when it was loaded.

    Attributes:
        status: ``idle``, ``connecting``, ``streaming``, ``stalled`` or ``unreachable``.
        problem: why the last session or attempt ended; empty while all is well.
        endpoint: of the engine; empty for this user's.
        engine, model, mode: what the last engine said that it is; the session's mode.
        latency: samples by which the output lags.
        connections: sessions opened.
        lost: sessions that ended otherwise than by the plugin's will.
        missed: samples that were played without their stems.
        gaps: how often stems turned into the mixture.
        late: samples of stems that came when they had been due.
        substituted: messages of stems in which the engine itself was late.
        non_finite: values from the engine that were NaN or infinite, and replaced by 0.
        failures: how often an offline render gave up waiting.
    """

    status: str
    problem: str
    endpoint: str
    engine: str
    model: str
    mode: str
    latency: int
    connections: int
    lost: int
    missed: int
    gaps: int
    late: int
    substituted: int
    non_finite: int
    failures: int


def shim_status(plugin: pedalboard.VST3Plugin) -> ShimStatus:
    """Ask a loaded plugin how it is.

    Raises:
        InputError: it is another plugin.
    """
    fields = _fields_of(PresetFile.read(plugin.preset_data))
    try:
        values = {
            name: int(fields[name]) if annotation == "int" else fields[name]
            for name, annotation in ShimStatus.__annotations__.items()
        }
    except (KeyError, ValueError) as error:
        raise InputError(
            f"the plugin's state is of another version (no {error}); 'streamsep vst install' "
            "installs the one of this"
        ) from error
    return ShimStatus(**values)  # type: ignore[arg-type]


def change_state(plugin: pedalboard.VST3Plugin, **changes: object) -> None:
    """Change what no parameter changes, such as the endpoint.

    Raises:
        InputError: it is another plugin, or a value cannot be kept.
    """
    preset = PresetFile.read(plugin.preset_data)
    fields = _fields_of(preset)
    for name, value in changes.items():
        if not str(value).isprintable() and str(value):
            raise InputError(f"the plugin cannot keep the {name} {str(value)!r}")
        fields[name] = str(value)
    text = _TITLE + "".join(f"{name}={value}\n" for name, value in fields.items())
    chunks = {**preset.chunks, _COMPONENT: text.encode()}
    plugin.preset_data = PresetFile(preset.class_id, chunks).write()


def _fields_of(preset: PresetFile) -> dict[str, str]:
    text = preset.chunks.get(_COMPONENT, b"").decode(errors="replace")
    if not text.startswith(_TITLE):
        raise InputError("expected the streamsep plugin, got another one")
    lines = text[len(_TITLE) :].splitlines()
    return {name: value for name, _, value in (line.partition("=") for line in lines)}
