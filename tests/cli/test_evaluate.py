"""`streamsep evaluate`: songs in, figures out, and whatever goes wrong is one line."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from networks import random_network
from offline.material import listing, noise, write
from tiny_networks import tiny_network

from streamsep.cli import main
from streamsep.models.checkpoints import save_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Ended

    Run = Callable[..., Ended]

TINY_GRID = ["--sweep-hops", "8192,16384", "--sweep-look-aheads", "0,8192"]
TINY_GRID += ["--sweep-segments", "24576"]
RESULTS = ["results.csv", "results.html", "results.json", "results.md"]


STEMS = ("drums", "bass")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a network called small, which knows two mono stems."""
    path = tmp_path_factory.mktemp("small") / "small.safetensors"
    save_checkpoint(random_network(channels=1, sources=2), path, licence="CC0", training="none")
    return path


def write_song(folder: Path, length: int = 20_000, seed: int = 0, silent: str = "") -> Path:
    for number, stem in enumerate(STEMS):
        level = 0.0 if stem == silent else 0.2
        write(folder / f"{stem}.wav", noise(1, length, seed=10 * seed + number, level=level))
    return folder


@pytest.fixture
def data(folder: Path) -> Path:
    write_song(folder / "data" / "a", seed=1)
    write_song(folder / "data" / "b", seed=2, silent="bass")
    return folder / "data"


@pytest.fixture
def evaluate(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Types `streamsep evaluate ... -n small`, or another network, inside this process."""
    from cli.conftest import Ended

    def run(*arguments: object, network: Path = small) -> Ended:
        words = ["streamsep", "evaluate", *arguments, "-n", network, "-d", "cpu"]
        monkeypatch.setattr(sys, "argv", [str(word) for word in words])
        monkeypatch.setenv("COLUMNS", "40")  # tables are shown whole all the same
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Ended(int(ended.value.code or 0), printed.out, printed.err)

    return run


def test_results_are_shown_and_written_in_every_form(evaluate: Run, data: Path) -> None:
    ended = evaluate(data, "-p", "studio", "--metrics", "nsdr")
    assert (ended.code, ended.err) == (0, "")
    (out,) = (data.parent / "evaluated").glob("small*-small-*/data")
    assert sorted(path.name for path in out.glob("results*")) == RESULTS
    for method in ("offline", "studio", "mixture", "silence"):
        assert method in ended.out
    assert "bass: 1 of 2 songs" in ended.out
    document = json.loads((out / "results.json").read_text())
    assert list(document["figures"]) == ["offline", "studio", "mixture", "silence"]
    assert document["figures"]["studio"]["latency"] == 67_584
    assert set(document["figures"]["silence"]["nsdr_db"].values()) == {0.0}
    assert document["figures"]["mixture"]["false_db"]["bass"] == 0.0
    with (out / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * 2 * 2
    assert [r["stem"] for r in rows if r["song"] == "b" and not r["nsdr_db"]] == ["bass"] * 4


def test_networks_of_the_same_name_have_results_of_their_own(
    evaluate: Run, data: Path, small: Path, tmp_path: Path
) -> None:
    for name, hidden in (("first", 8), ("second", 16)):
        path = tmp_path / "runs" / name / "network.safetensors"
        path.parent.mkdir(parents=True)
        network = tiny_network("conv_tasnet", sources=STEMS, audio_channels=1, hidden=hidden)
        save_checkpoint(network, path, licence="CC0", training="none")
        assert evaluate(data, "--metrics", "nsdr", network=path).code == 0
    # The first run goes on: what it has now is not what was judged.
    moved = tmp_path / "runs" / "first" / "network.safetensors"
    moved.write_bytes(small.read_bytes())
    assert evaluate(data, "--metrics", "nsdr", network=moved).code == 0
    written = sorted((data.parent / "evaluated").glob("*/data/results.json"))
    names = [path.parent.parent.name.rpartition("-")[0] for path in written]
    assert names == ["first", "first", "second"]
    assert len({json.loads(path.read_text())["weights_sha256"] for path in written}) == 3


def test_presets_are_judged_as_a_processor_plays_them_if_that_is_asked_for(
    evaluate: Run, data: Path
) -> None:
    figures = {}
    for way in ("--exact", "--incremental"):
        ended = evaluate(data, "-p", "stage", "--metrics", "nsdr", "-o", "out", way)
        assert (ended.code, ended.err) == (0, "")
        document = json.loads((data.parent / "out" / "results.json").read_text())
        figures[way] = {name: each["nsdr_db"] for name, each in document["figures"].items()}
        assert document["incremental"] == (way == "--incremental")
        page = (data.parent / "out" / "results.html").read_text()
        assert ("kept from hop to hop" in page) == (way == "--incremental")
    for name in ("offline", "mixture", "silence"):
        assert figures["--exact"][name] == figures["--incremental"][name]
    assert figures["--exact"]["stage"] != figures["--incremental"]["stage"]


def test_a_network_that_keeps_nothing_from_hop_to_hop_is_judged_as_it_is(
    evaluate: Run, data: Path, tmp_path: Path
) -> None:
    waves = tmp_path / "waves.safetensors"
    network = tiny_network("conv_tasnet", sources=STEMS, audio_channels=1)
    save_checkpoint(network, waves, licence="CC0", training="none")
    ended = evaluate(data, "-p", "stage", "--incremental", "--metrics", "nsdr", network=waves)
    assert ended.code == 0
    assert "--incremental changes nothing: 'waves' computes every window anew" in ended.err
    (written,) = data.parent.glob("evaluated/*/*/results.json")
    assert json.loads(written.read_text())["incremental"] is False


def test_stems_may_be_called_something_else(evaluate: Run, data: Path) -> None:
    expected = evaluate(data, "-o", "out", "--metrics", "nsdr")
    for song in data.iterdir():
        (song / "bass.wav").rename(song / "low end.wav")
    refused = evaluate(data, "-o", "other", "--metrics", "nsdr")
    refused.check_one_line(2, "say with --stem-name STEM=NAME what it is called")
    options = ["-o", "other", "--metrics", "nsdr", "--stem-name", "bass=low end"]
    assert evaluate(data, *options).code == expected.code == 0
    figures = [
        json.loads((data.parent / out / "results.json").read_text())["figures"]
        for out in ("out", "other")
    ]
    assert figures[0] == figures[1]


def test_a_second_run_says_the_same_without_measuring(evaluate: Run, data: Path) -> None:
    first = evaluate(data, "-o", "out")
    assert first.code == 0
    assert "SAR in dB" in first.out
    before = {
        name: (data.parent / "out" / name).read_bytes() for name in listing(data.parent / "out")
    }
    stamps = {path: path.stat().st_mtime_ns for path in (data.parent / "out" / "songs").rglob("*")}
    assert evaluate(data, "-o", "out").out == first.out
    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}
    after = {name: (data.parent / "out" / name).read_bytes() for name in before}
    assert after == before


def test_a_sweep_writes_its_curve(evaluate: Run, data: Path) -> None:
    ended = evaluate(data, "-o", "out", "--metrics", "nsdr", "--sweep", *TINY_GRID)
    assert ended.code == 0, ended.err
    out = data.parent / "out"
    assert "Quality against latency" in ended.out
    assert re.search(r"186 ms +8192 +0 +24576 +3\.0", ended.out)
    assert "…" not in ended.out
    with (out / "sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    lengths = [(int(r["hop"]), int(r["look_ahead"]), int(r["latency"])) for r in rows]
    assert lengths == [
        (8192, 0, 8192),
        (8192, 8192, 16384),
        (16384, 0, 16384),
        (16384, 8192, 24576),
    ]
    assert all(float(row["all_nsdr_db"]) for row in rows)
    assert (out / "sweep.png").stat().st_size > 10_000
    with (out / "results.csv").open() as file:
        methods = {row["method"] for row in csv.DictReader(file)}
    assert methods == {"offline", "mixture", "silence"}


def test_songs_that_are_silent_throughout_have_results_without_figures(
    evaluate: Run, folder: Path
) -> None:
    for stem in STEMS:
        write(folder / "data" / "a" / f"{stem}.wav", noise(1, 20_000, level=0.0))
    ended = evaluate(folder / "data", "-o", "out", "--metrics", "nsdr", "--sweep", *TINY_GRID)
    assert (ended.code, ended.err) == (0, "")
    assert "no figures: every stem of every song is silent" in ended.out
    written = {path.name for path in (folder / "out").glob("*.*")}
    assert written == {*RESULTS, "sweep.csv", "sweep.png"}


def damaged_song(folder: Path) -> Path:
    """A song one of whose files ends early, which shows only on the way."""
    for stem in STEMS:
        write(folder / f"{stem}.flac", noise(1, 200_000, seed=5))
    path = folder / "bass.flac"
    path.write_bytes(path.read_bytes()[:-50_000])
    return folder


def test_a_damaged_song_is_named_and_the_others_count(evaluate: Run, data: Path) -> None:
    damaged_song(data / "c")
    if os.name != "nt":
        (data / "c").rename(data / os.fsdecode(b"caf\xe9"))  # no text in any encoding of today
    ended = evaluate(data, "-o", "out", "--metrics", "nsdr")
    ended.check_one_line(1, "bass.flac")
    document = json.loads((data.parent / "out" / "results.json").read_text())
    assert [song["song"] for song in document["songs"]["offline"]] == ["a", "b"]
    assert len(document["failures"]) == 1


def test_if_every_song_fails_there_are_no_results(evaluate: Run, folder: Path) -> None:
    damaged_song(folder / "data" / "a")
    evaluate(folder / "data", "-o", "out", "--metrics", "nsdr").check_one_line(2, "bass.flac")
    assert not list((folder / "out").glob("results*"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "'nowhere' is no folder"),
        (["data/a"], "it is a song itself"),
        (["data", "--metrics", "pesq"], "expected nsdr or nsdr,bss"),
        (["data", "-p", "liev"], "did you mean 'live'?"),
        (["data", "-p", "live", "-p", "./live.yaml"], "'live' is there twice"),
        (["data", "-p", "odd.yaml"], "multiple"),
        (["data", "--sweep-hops", "2048"], "add --sweep"),
        (["data", "--sweep", "--sweep-hops", "many"], "--sweep-hops 'many'"),
        (["data", "--sweep", "--sweep-hops", "0"], "--sweep-hops '0'"),
        (["data", "--sweep", "--sweep-hops", "1000"], "multiples of the network's stride 2048"),
        (["data", "--sweep", "--sweep-segments", "1024"], "no segment of 1024"),
        (["data", "-o", "data/a/bass.wav"], "cannot write"),
        (["data", "--use-mixture-file"], "no mixture.wav"),
        (["data", "--segment", "0.05"], "--segment 0.05 s is too short"),
        (["data", "--segment", "nan"], "'--segment'"),
        (["data", "--segment", "inf"], "'--segment'"),
        (["data", "--segment=-inf"], "'--segment'"),
        (["data", "-j", "0"], "--jobs"),
        (["data", "--stem-name", "bass"], "--stem-name 'bass': expected a stem and what"),
    ],
)
def test_mistakes_are_one_line_and_come_before_the_work(
    arguments: list[str], said: str, evaluate: Run, data: Path
) -> None:
    preset = "description: d\nuse: u\ncontext: 4096\nhop: {hop}\nlook_ahead: 0\ncrossfade: 0\n"
    (data.parent / "live.yaml").write_text("name: live\n" + preset.format(hop=2048))
    (data.parent / "odd.yaml").write_text("name: odd\n" + preset.format(hop=1000))
    evaluate(*arguments).check_one_line(2, said)
    assert not any("songs/" in name or "results" in name for name in listing(data.parent))


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
@pytest.mark.parametrize("how", ["SIGINT", "SIGKILL"])
def test_what_was_finished_outlives_the_command_and_nothing_else_does(
    how: str, small: Path, folder: Path
) -> None:
    write_song(folder / "data" / "a")
    write_song(folder / "data" / "b", length=60 * 44_100)
    command = [sys.executable, "-m", "streamsep", "evaluate", "data", "-n", small, "-o", "out"]
    command += ["--metrics", "nsdr", "-p", "shortest", "-d", "cpu", "-j", "2"]
    with subprocess.Popen(
        [str(word) for word in command], cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        while not list((folder / "out" / "songs" / "a").glob("offline-*.json")):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        workers = psutil.Process(process.pid).children()
        process.send_signal(signal.Signals[how])
        out, err = process.communicate(timeout=200)
    assert len(workers) > 1
    assert psutil.wait_procs(workers, timeout=100)[1] == []
    if how == "SIGINT":
        assert process.returncode == 130
        assert "stopped;" in err
        assert "goes on from there" in err
        assert len(err.splitlines()) == 1
        assert "Traceback" not in out + err
    names = listing(folder / "out")
    assert not any("results" in name for name in names)
    assert any(name.startswith("songs/a/offline") for name in names)
