"""`streamsep bench`: what this machine can do, shown, kept, and known to other commands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from exported_programs import describe, export, plain_network
from fakes import PassThrough
from measured import measurement
from offline.material import fake_model

from cli.commands import typed
from streamsep.cli import bench_round
from streamsep.cli.bench_advice import advise, what_held
from streamsep.cli.checks.bench import check_bench
from streamsep.cli.engine_costs import engine_costs
from streamsep.errors import ConfigError
from streamsep.measuring import KeptMeasurements, Workload, this_machine
from streamsep.models import load_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from cli.commands import Ended

# A tenth of the work of the presets that come along.
PRESET = """\
name: little
description: a fifth of a second
use: tests
context: 4096
hop: 4096
look_ahead: 2048
crossfade: 1024
"""


@pytest.fixture
def preset(folder: Path) -> Path:
    path = folder / "little.yaml"
    path.write_text(PRESET)
    return path


@pytest.fixture
def bench(
    weights: Path, folder: Path, preset: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """Types `streamsep bench` with a tiny network, a short preset and hardly any time."""

    def run_it(*arguments: object) -> Ended:
        quick = ("-d", "cpu", "-p", preset, "--seconds", "0.1", "--cache-dir", folder / "cache")
        return typed(capsys, "bench", "-n", weights, *quick, *arguments)

    return run_it


def test_figures_are_those_of_what_was_measured(bench: Callable[..., Ended]) -> None:
    ended = bench("--json", "--block", "512")
    assert ended.code == 0
    told: dict[str, Any] = json.loads(ended.out)
    (one,) = told["measurements"]
    assert told["machine"] == this_machine().model_dump()
    assert told["device"] == "cpu"
    assert (one["model"], one["preset"], one["hop"]) == ("tiny", "little", 4096)
    assert 0 < one["p50_ms"] <= one["p95_ms"] <= one["p99_ms"] <= one["max_ms"]
    assert one["hops"] >= 10
    assert one["memory_mib"] > 50
    assert one["incremental"]
    terms = one["latency_terms"]
    assert (terms["block"], terms["network"], terms["resampling"]) == (512, 6144, 0)
    assert terms["budget"] / 44.1 > one["p50_ms"]
    assert one["latency"] == sum(terms.values())
    assert told["recommended"] == {"tiny": "little" if one["holds"] else None}
    assert (one["sessions"] > 0) == (one["p50_ms"] <= 0.7 * one["hop_ms"])


def test_the_table_says_what_to_take(bench: Callable[..., Ended]) -> None:
    ended = bench("--exact")
    assert ended.code == 0
    assert "exact" in ended.out
    assert "RTF" in ended.out
    assert "tiny: take --preset little" in ended.out or "no preset of tiny holds" in ended.out


def test_doctor_knows_the_last_bench(bench: Callable[..., Ended], folder: Path) -> None:
    before = check_bench(folder / "cache")
    assert (before.state, before.advice) == (
        "missing",
        "run 'streamsep bench' while nothing else runs",
    )
    assert bench().code == 0
    after = check_bench(folder / "cache")
    assert after.state in ("ok", "problem")
    assert "tiny" in after.detail
    assert after.state == "ok" or after.advice


@pytest.mark.parametrize("way", ["--incremental", "--exact"])
def test_an_engine_knows_the_last_bench(
    bench: Callable[..., Ended], weights: Path, folder: Path, way: str
) -> None:
    told = json.loads(bench("--json", way).out)
    (one,) = told["measurements"]
    tiling = {name: one[name] for name in ("hop", "look_ahead", "crossfade")}
    workload = Workload(segment=10_240, **(tiling if way == "--incremental" else {}))
    kept = engine_costs(load_model(str(weights)), folder / "cache", precision=None)
    cost = kept.find(workload)
    assert cost is not None
    assert cost.compute_s == pytest.approx(one["p50_ms"] / 1000)


def test_an_engine_knows_what_an_exported_program_costs(
    bench: Callable[..., Ended], folder: Path
) -> None:
    program = describe(export(plain_network(), folder / "plain.ts"))
    told = json.loads(bench("-n", program, "--json", "--exact").out)
    one = next(each for each in told["measurements"] if each["model"] == "plain")
    kept = engine_costs(load_model(program), folder / "cache", precision=None)
    cost = kept.find(Workload(segment=10_240))
    assert cost is not None
    assert cost.compute_s == pytest.approx(one["p50_ms"] / 1000)


def test_a_precision_is_measured_shown_and_kept(
    bench: Callable[..., Ended], weights: Path, folder: Path
) -> None:
    assert "incremental, bfloat16;" in bench("--precision", "bfloat16").out
    (one,) = json.loads(bench("--precision", "bfloat16", "--json").out)["measurements"]
    assert one["precision"] == "bfloat16"
    tiling = {name: one[name] for name in ("hop", "look_ahead", "crossfade")}
    network = load_model(str(weights), precision="bfloat16")
    workload = Workload(segment=10_240, **tiling)
    for precision, known in (("bfloat16", True), (None, False)):
        kept = engine_costs(network, folder / "cache", precision=precision)
        assert (kept.find(workload) is not None) == known


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("way", ["--incremental", "--exact"])
def test_it_measures_the_network_that_an_engine_runs(
    bench: Callable[..., Ended],
    weights: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    way: str,
    precision: str,
) -> None:
    asked: list[str | None] = []

    def load(*_: object, precision: str | None, **__: object) -> None:
        asked.append(precision)
        raise ConfigError("it is known what was asked for")

    monkeypatch.setattr(bench_round, "load_with_progress", load)
    monkeypatch.setattr("streamsep.cli.loading.load_with_progress", load)
    # An engine holds it for as long as its process lives.
    monkeypatch.setattr("bridge.run_folder.EngineLock", lambda folder: folder)
    options = (way, "--precision", precision)
    for ended in (
        bench(*options),
        typed(capsys, "serve", "-n", weights, "-d", "cpu", *options),
    ):
        ended.check_one_line(2, "it is known what was asked for")
    assert asked == [precision] * 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-p", "fastest"), "unknown latency preset 'fastest'"),
        (("--seconds", "0"), "--seconds"),
        (("--block", "0"), "--block"),
        (("-d", "abacus"), "abacus"),
        (("--exact", "--precision", "tf32"), "precision tf32 exists on CUDA devices only"),
        (("--precision", "tf32"), "precision tf32 exists on CUDA devices only"),
        (("-d", "cuda", "--precision", "bfloat16"), "on 'cuda' a precision is for whole windows"),
    ],
)
def test_mistakes_are_one_line(
    bench: Callable[..., Ended], arguments: tuple[object, ...], said: str
) -> None:
    bench(*arguments).check_one_line(2, said)


def test_an_unknown_network_is_one_line(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    ended = typed(capsys, "bench", "-n", "nothing", "--cache-dir", folder)
    ended.check_one_line(2, "unknown model 'nothing'")


def test_one_network_that_fails_does_not_stop_the_others(bench: Callable[..., Ended]) -> None:
    ended = bench("-n", "nothing", "--json")
    assert ended.code == 1
    assert [one["model"] for one in json.loads(ended.out)["measurements"]] == ["tiny"]
    assert ended.err.startswith("streamsep: unknown model 'nothing'")


class Hungry(PassThrough):
    """Has memory for short segments only."""

    def __call__(self, mix: Tensor) -> Tensor:
        if mix.shape[-1] > 16_384:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return super().__call__(mix)


def test_a_preset_without_memory_does_not_stop_the_others(
    bench: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        bench_round, "load_with_progress", lambda *_, **__: fake_model(Hungry(stride=2048))
    )
    ended = bench("-p", "instant", "--json")
    assert ended.code == 1
    assert [one["preset"] for one in json.loads(ended.out)["measurements"]] == ["little"]
    ended.check_one_line(1, "'fake' at preset 'instant' does not fit into the memory of 'cpu'")


def test_figures_that_cannot_be_kept_are_shown(bench: Callable[..., Ended], folder: Path) -> None:
    (folder / "cache").write_text("a file in the place of the folder")
    ended = bench("--json")
    assert ended.code == 1
    assert len(json.loads(ended.out)["measurements"]) == 1
    assert "cannot keep the measurement" in ended.err


def test_advice_when_nothing_holds() -> None:
    slow = measurement(model="large", rtf=0.9, preset="studio")
    slower = measurement(model="large", rtf=2.0)
    said = advise("large", [slower, slow])
    assert said.startswith("no preset of large holds here, studio is the nearest")
    assert "smaller network" in said
    assert "end other programs (60%" in advise("large", [slow.model_copy(update={"others": 0.6})])
    assert "take --model net --preset live" in advise("large", [slow, measurement()])


@pytest.mark.parametrize("has", [True, False])
def test_advice_names_bfloat16_where_the_processor_has_instructions_for_it(
    monkeypatch: pytest.MonkeyPatch, has: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": has})
    slow = measurement(model="large", rtf=0.9)
    assert ("try --precision bfloat16" in advise("large", [slow])) is has
    for other in ({"precision": "bfloat16"}, {"incremental": False}, {"device": "a GPU"}):
        assert "--precision" not in advise("large", [slow.model_copy(update=other)])


def test_advice_has_the_precision_that_held() -> None:
    said = advise("net", [measurement(rtf=0.9), measurement(precision="bfloat16")])
    assert said.startswith("take --preset live --precision bfloat16 (")


def test_what_held_is_that_of_this_machine_and_device(tmp_path: Path) -> None:
    kept = KeptMeasurements(tmp_path / "bench")
    assert what_held(tmp_path, "cpu") is None
    kept.keep(measurement(preset="elsewhere"))
    here = measurement(machine=this_machine(), preset="here")
    kept.keep(here)
    kept.keep(measurement(machine=this_machine(), device="a GPU", preset="on a GPU"))
    kept.keep(measurement(machine=this_machine(), preset="too slow", rtf=0.9))
    assert what_held(tmp_path, "cpu") == here


def test_doctor_says_so_if_nothing_holds(tmp_path: Path) -> None:
    KeptMeasurements(tmp_path / "bench").keep(measurement(machine=this_machine(), rtf=0.9))
    finding = check_bench(tmp_path)
    assert finding.state == "problem"
    assert "no preset of net holds here" in finding.detail
