"""`streamsep doctor`: it must survive whatever it examines."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from cli.commands import run
from streamsep.cli import checks
from streamsep.cli.checks import Finding, bench, cache, compute, live, programs, round
from streamsep.cli.checks.asking import ProbeError, ask_probe, run_quietly
from streamsep.cli.doctor import doctor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streamsep.cli.checks import State


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def install(folder: Path, name: str, script: str) -> None:
    """Put a program on a path that holds nothing else."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def programs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    return tmp_path


def test_a_real_machine_is_examined_whole(tmp_path: Path) -> None:
    result = run(doctor, "--json", "--cache-dir", tmp_path)
    report = json.loads(result.output)
    assert (result.exit_code, report["works"]) == (0, True)
    found = {check["name"]: check for check in report["checks"]}
    for name in ("Python", "streamsep", "torch", "soundfile"):
        assert found[name]["state"] == "ok"
    for name in ("models", "ffmpeg", "PortAudio", "JACK", "MIDI", "C++ compiler", "pyworld"):
        assert found[name]["state"] in ("ok", "missing", "problem")
        assert "check itself failed" not in found[name]["detail"]
    assert all(check["advice"] for check in report["checks"] if check["state"] != "ok")


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("problem", 1)])
def test_exit_code_tells_whether_the_core_works(
    state: State, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    findings = [
        Finding("torch", state, "some [detail]", "do this", core=True),
        Finding("MIDI", "problem", "no ports"),
    ]
    monkeypatch.setattr(checks, "examine_all", lambda _: findings)
    result = run(doctor)
    assert result.exit_code == code
    assert "some [detail]" in result.output
    assert "do this" in result.output
    assert json.loads(run(doctor, "--json").output)["works"] == (code == 0)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import time; time.sleep(60)", "no answer within 0.5 s"),
        ("import os; os.write(1, b'noise'); os._exit(3)", "noise"),
        ("import os; os.kill(os.getpid(), 9)", "ended with code"),
        ("raise OSError('no library')", "OSError: no library"),
    ],
)
def test_a_process_that_hangs_or_dies_is_only_a_reason(program: str, reason: str) -> None:
    timeout_s = 0.5 if "sleep" in program else 60.0
    with pytest.raises(ProbeError, match=reason):
        run_quietly(python(program), timeout_s)


def test_what_cannot_be_started_is_only_a_reason(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="cannot be started"):
        run_quietly([str(tmp_path)], 1.0)


def test_an_unknown_probe_fails_like_a_broken_one() -> None:
    with pytest.raises(ProbeError, match="KeyError"):
        ask_probe("nothing")


def test_a_check_that_fails_becomes_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Finding:
        raise ZeroDivisionError("oh")

    for module, names in (
        (compute, ["check_torch", "check_soundfile"]),
        (live, live.__all__),
        (programs, programs.__all__),
        (cache, cache.__all__),
        (bench, bench.__all__),
    ):
        for name in names:
            monkeypatch.setattr(module, name, broken)
    findings = round.examine_all()
    assert [f.state for f in findings[:2]] == ["ok", "ok"]
    assert {f.detail for f in findings[2:]} == {"the check itself failed: ZeroDivisionError: oh"}


def test_programs_that_are_not_there_are_missing(programs_folder: Path) -> None:
    for check in (programs.check_ffmpeg, programs.check_compiler, programs.check_fluidsynth):
        finding = check()
        assert finding.state == "missing"
        assert finding.advice


def test_programs_tell_their_version(programs_folder: Path) -> None:
    for name in ("ffmpeg", "ffprobe"):
        install(programs_folder, name, f"echo '{name} version 7 Copyright (c) somebody'")
    install(programs_folder, "g++", "echo 'g++ 14'; echo more")
    assert programs.check_ffmpeg() == Finding("ffmpeg", "ok", "ffmpeg version 7")
    assert programs.check_compiler() == Finding("C++ compiler", "ok", "g++: g++ 14")


def test_half_of_ffmpeg_is_not_ffmpeg(programs_folder: Path) -> None:
    install(programs_folder, "ffmpeg", "echo ffmpeg version 7")
    finding = programs.check_ffmpeg()
    assert (finding.state, finding.detail) == ("missing", "no ffprobe")


def test_a_program_that_fails_is_a_problem(programs_folder: Path) -> None:
    install(programs_folder, "c++", "echo 'no such library' >&2; exit 1")
    finding = programs.check_compiler()
    assert (finding.state, finding.detail) == ("problem", "c++: no such library")


def answering(facts: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    return lambda *_: facts


DEVICES = {"version": "PortAudio 19, x", "devices": ["a", "b"], "input": None, "output": "b"}
SERVER = {"library": "libjack", "running": True, "sample_rate": 48000, "buffer_size": 256}


@pytest.mark.parametrize(
    ("check", "facts", "state", "said"),
    [
        (live.check_portaudio, {"problem": "no library"}, "missing", "no library"),
        (live.check_portaudio, {**DEVICES, "devices": []}, "problem", "0 devices"),
        (live.check_portaudio, DEVICES, "ok", "2 devices; input: none; output: b"),
        (live.check_jack, {"library": None}, "missing", "no libjack"),
        (live.check_jack, {"library": "libjack", "running": False}, "ok", "no server running"),
        (live.check_jack, SERVER, "ok", "server at 48000 Hz in blocks of 256"),
        (live.check_midi, {"ports": {}, "silent": ["ALSA", "Jack"]}, "problem", "ALSA and Jack"),
        (live.check_midi, {"ports": {"ALSA": ["pads"]}, "silent": []}, "ok", "ALSA: pads"),
        (live.check_midi, {"ports": {"ALSA": []}, "silent": ["Jack"]}, "ok", "Jack does not"),
    ],
)
def test_live_audio_and_midi_are_told_apart(
    check: Callable[[], Finding],
    facts: dict[str, Any],
    state: State,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "ask_probe", answering(facts))
    finding = check()
    assert finding.state == state
    assert said in finding.detail
    assert finding.advice or state == "ok"


def test_a_driver_that_hangs_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object) -> dict[str, Any]:
        raise ProbeError("no answer within 20 s")

    monkeypatch.setattr(live, "ask_probe", hang)
    for check in (live.check_portaudio, live.check_jack, live.check_midi):
        assert check().state == "problem"


def test_the_cache_is_examined_and_not_made(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet"
    finding = cache.check_models(folder)
    assert finding.state == "ok"
    assert str(folder) in finding.detail
    assert not folder.exists()


def test_a_cache_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    finding = cache.check_models(file / "models")
    assert finding.state == "problem"
    assert "--cache-dir" in finding.advice
