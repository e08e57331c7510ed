"""`streamsep devices`: what `streamsep live` can play through."""

from __future__ import annotations

from streamsep.cli.screen import new_table, output, show_json
from streamsep.cli.shared_options import AsJson

__all__ = ["devices"]


def devices(as_json: AsJson = False) -> None:
    """List the audio devices, and the clients of a JACK server, by number and name.

    Latencies are what PortAudio claims; 'streamsep live' shows what it measures. A star marks the
    system's default.
    """
    from bridge.live.devices import list_devices

    found = list_devices()
    if as_json:
        show_json([each.as_dict() for each in found])
        return
    if not found:
        output().print("no audio devices; connect an interface or start a JACK server")
        return
    table = new_table(["", "name", "system"], ["in", "out", "rate", "in ms", "out ms"])
    for each in found:
        table.add_row(
            str(each.number),
            each.name,
            each.host_api,
            f"{each.inputs}{'*' * each.default_input}",
            f"{each.outputs}{'*' * each.default_output}",
            str(each.sample_rate),
            f"{each.input_latency_ms:.1f}" if each.inputs else "",
            f"{each.output_latency_ms:.1f}" if each.outputs else "",
        )
    output().print(table)
