"""From scores to figures, tables, files and pictures."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from evaluation_songs import LIVE, OFFLINE
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread

from streamsep.engine import StreamConfig
from streamsep.errors import ConfigError, OutputError
from streamsep.evaluation.export import write_report
from streamsep.evaluation.methods import AS_ESTIMATED, MIXTURE, SILENCE, Finish, Live
from streamsep.evaluation.page import render_page
from streamsep.evaluation.report import Report
from streamsep.evaluation.scores import SongScores, StemScores
from streamsep.evaluation.summary import ALL, FALSE_LEVEL, MEASURES, NSDR, summarise
from streamsep.evaluation.sweep import (
    DEFAULT_GRID,
    Grid,
    SweepPoint,
    best_by_latency,
    sweep_points,
)
from streamsep.evaluation.tables import song_table
from streamsep.files.output import check_writable, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STEMS = ("bass", "vocals")
SDR = MEASURES[1]


def scores(method: str, song: str, bass: float, vocals: float | None = None) -> SongScores:
    """A song whose SDR is one below its nSDR; vocals may be silent."""
    stems = {
        "bass": StemScores(nsdr_db=bass, sdr_db=bass - 1, false_db=None, silent_s=0.0),
        "vocals": StemScores(nsdr_db=None, false_db=-30.0, silent_s=8.0)
        if vocals is None
        else StemScores(nsdr_db=vocals, sdr_db=vocals - 1, false_db=None, silent_s=0.0),
    }
    return SongScores(song=song, method=method, duration_s=8.0, stems=stems)


def three_songs(method: str, shift: float = 0.0) -> list[SongScores]:
    return [
        scores(method, "a", 1.0 + shift, 4.0 + shift),
        scores(method, "b", 2.0 + shift, 8.0 + shift),
        scores(method, "c", 9.0 + shift),
    ]


def a_report(
    *,
    sweep: bool = False,
    name: str = "tiny",
    incremental: bool = False,
    of: Callable[..., list[SongScores]] = three_songs,
) -> Report:
    methods = [OFFLINE, LIVE, MIXTURE, SILENCE]
    found = [score for method in methods for score in of(method.name)]
    grid = Grid((2048, 8192), (0, 2048), (16_384,)).methods(2048, incremental=incremental)
    for number, tiling in enumerate(grid):
        shift = {"shift": 0.1 * number} if of is three_songs else {}
        found += of(tiling.name, **shift)
    everything = summarise(found, STEMS)
    return Report(
        model=name,
        weights_sha256="ab" * 32,
        sample_rate=44_100,
        data="songs",
        mixture_file=False,
        finish=AS_ESTIMATED,
        incremental=incremental,
        methods=methods,
        summary=everything.only([method.name for method in methods]),
        sweep=sweep_points(everything, grid) if sweep else (),
        failures=["d.wav: no <sound> in it"],
    )


def test_nsdr_is_a_mean_and_bss_eval_a_median_over_songs() -> None:
    summary = summarise(three_songs("offline"), STEMS)
    assert summary.figure(NSDR, "offline", "bass") == pytest.approx(4.0)
    assert summary.figure(SDR, "offline", "bass") == pytest.approx(1.0)


def test_a_silent_stem_counts_for_nothing_but_the_level_of_what_was_made_up() -> None:
    summary = summarise(three_songs("offline"), STEMS)
    assert summary.figure(NSDR, "offline", "vocals") == pytest.approx(6.0)
    assert summary.figure(FALSE_LEVEL, "offline", "vocals") == -30.0
    assert summary.figure(FALSE_LEVEL, "offline", "bass") is None


def test_all_is_the_mean_over_the_stems_that_have_a_figure() -> None:
    summary = summarise(three_songs("offline"), STEMS)
    assert summary.figure(NSDR, "offline", ALL) == pytest.approx(5.0)
    assert summary.figure(FALSE_LEVEL, "offline", ALL) == -30.0
    assert SDR in summary.measures
    assert MEASURES[3] not in summary.measures


def test_a_method_that_failed_with_every_song_has_no_figures() -> None:
    summary = summarise(three_songs("mixture"), STEMS)
    assert summary.figure(NSDR, "offline", ALL) is None
    assert song_table(summary, "offline").rows == ()


def test_methods_are_compared_over_the_same_songs() -> None:
    found = three_songs("offline") + three_songs("mixture")[:2]
    summary = summarise(found, STEMS)
    assert summary.song_count == 2
    assert summary.figure(NSDR, "offline", "bass") == pytest.approx(1.5)
    assert summarise([], STEMS).song_count == 0


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.floats(-20, 20)), min_size=1))
def test_the_best_by_latency_are_beaten_by_none_that_is_as_fast(
    drawn: list[tuple[int, int, float]],
) -> None:
    points = [
        SweepPoint(StreamConfig(context=0, hop=1 + hop, look_ahead=ahead), {ALL: quality})
        for hop, ahead, quality in drawn
    ]
    best = best_by_latency(points)
    assert best
    for point in points:
        as_fast = [b for b in best if b.tiling.latency <= point.tiling.latency]
        assert max(b.nsdr_db[ALL] for b in as_fast) >= point.nsdr_db[ALL]
    for one, two in pairwise(best):
        assert one.tiling.latency < two.tiling.latency
        assert one.nsdr_db[ALL] < two.nsdr_db[ALL]


def test_a_grid_has_every_tiling_that_fits_its_segment() -> None:
    methods = DEFAULT_GRID.methods(2048)
    assert len({method.name for method in methods}) == len(methods) == 24
    for method in methods:
        assert method.tiling.segment in DEFAULT_GRID.segments
        assert method.tiling.context >= 0
    latencies = [method.latency for method in methods]
    assert latencies == sorted(latencies)
    assert latencies[0] == 2048


@pytest.mark.parametrize("stride", [1, 10, 1024, 2048, 4096])
def test_the_default_grid_fits_networks_of_other_strides(stride: int) -> None:
    methods = Grid((), (), ()).completed(stride).methods(stride)
    tilings = [method.tiling for method in methods]
    assert len(set(tilings)) == len(tilings)
    for tiling in tilings:
        assert tiling.tiling(stride).segment == tiling.segment
    # Nothing of the default is lost or shorter, and nothing grows by a stride or more.
    for default in DEFAULT_GRID.methods(2048):
        near = default.tiling
        assert any(
            0 <= tiling.hop - near.hop < stride
            and 0 <= tiling.look_ahead - near.look_ahead < stride
            and 0 <= tiling.segment - near.segment < stride
            for tiling in tilings
        )


def test_lengths_that_were_chosen_stay() -> None:
    grid = Grid((1000,), (), (20_480,)).completed(4096)
    assert (grid.hops, grid.segments) == ((1000,), (20_480,))
    with pytest.raises(ConfigError, match="multiples of the network's stride 4096"):
        grid.methods(4096)


def test_a_grid_off_the_networks_own_is_refused() -> None:
    with pytest.raises(ConfigError, match="stride 2048"):
        Grid((1000,), (0,), (20_480,)).methods(2048)
    with pytest.raises(ConfigError, match="no segment of 4096"):
        Grid((4096,), (2048,), (4096,)).methods(2048)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a report."""
    folder = tmp_path_factory.mktemp("report") / "out"
    names = {path.name for path in write_report(a_report(sweep=True), folder)}
    assert names == {path.name for path in folder.iterdir()}
    return folder


def test_every_file_is_there(out: Path) -> None:
    names = {"results.csv", "results.json", "results.md", "results.html", "sweep.csv", "sweep.png"}
    assert {path.name for path in out.iterdir()} == names


def test_csv_and_json_hold_every_score(out: Path) -> None:
    rows = list(csv.DictReader(io.StringIO((out / "results.csv").read_text())))
    assert len(rows) == 4 * 3 * 2
    vocals = [row for row in rows if row["stem"] == "vocals" and row["song"] == "c"]
    assert all((row["nsdr_db"], row["false_db"]) == ("", "-30.0") for row in vocals)
    document = json.loads((out / "results.json").read_text())
    assert document["figures"]["offline"]["nsdr_db"] == {"bass": 4.0, "vocals": 6.0, "all": 5.0}
    assert document["figures"]["short"]["latency"] == LIVE.latency
    assert document["songs"]["mixture"][2]["stems"]["vocals"]["nsdr_db"] is None
    assert document["failures"] == ["d.wav: no <sound> in it"]


def test_results_hold_the_settings_of_every_method(out: Path) -> None:
    figures = json.loads((out / "results.json").read_text())["figures"]
    settings = {name: figure["settings"] for name, figure in figures.items()}
    assert settings["offline"]["tiling"]["segment"] == 4096
    assert settings["offline"]["tiling"]["overlap"] == 0.25
    assert settings["offline"]["shifts"] == 0
    assert settings["short"]["tiling"]["look_ahead"] == LIVE.tiling.look_ahead
    assert settings["short"]["tiling"]["crossfade"] == LIVE.tiling.crossfade
    assert settings["mixture"] == {"kind": "baseline", "gain": 1.0}
    for name in ("results.md", "results.html"):
        assert "segment 4096 samples, overlap 0.25, shifts 0" in (out / name).read_text()


def test_results_json_holds_every_point_of_the_sweep(out: Path) -> None:
    points = json.loads((out / "results.json").read_text())["sweep"]
    assert len(points) == 4
    assert points[0] == {
        "tiling": {"context": 14_336, "hop": 2048, "look_ahead": 0, "crossfade": 0},
        "latency": 2048,
        "passes": 8.0,
        "nsdr_db": {"bass": 4.0, "vocals": 6.0, "all": 5.0},
    }
    rows = list(csv.DictReader(io.StringIO((out / "sweep.csv").read_text())))
    assert [float(row["all_nsdr_db"]) for row in rows] == [p["nsdr_db"]["all"] for p in points]


def test_the_price_of_a_tiling_is_not_told_where_hops_keep_what_they_can(tmp_path: Path) -> None:
    write_report(a_report(sweep=True, incremental=True), tmp_path)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "sweep.csv").read_text())))
    assert {row["passes"] for row in rows} == {""}
    document = json.loads((tmp_path / "results.json").read_text())
    assert {point["passes"] for point in document["sweep"]} == {None}
    text = (tmp_path / "results.md").read_text()
    assert "| latency | hop | look-ahead | segment | bass | vocals | all |" in text
    assert "passes" not in text


def silent_songs(method: str) -> list[SongScores]:
    stems = {stem: StemScores(nsdr_db=None, false_db=None, silent_s=8.0) for stem in STEMS}
    return [SongScores(song="a", method=method, duration_s=8.0, stems=stems)]


def test_results_of_songs_that_are_silent_throughout_are_written_and_say_so(tmp_path: Path) -> None:
    report = a_report(sweep=True, of=silent_songs)
    written = {path.name for path in write_report(report, tmp_path)}
    assert written >= {"results.csv", "results.json", "results.md", "results.html", "sweep.csv"}
    for name in ("results.md", "results.html"):
        assert "every stem of every song is silent" in (tmp_path / name).read_text()
    document = json.loads((tmp_path / "results.json").read_text())
    assert document["figures"]["offline"]["nsdr_db"]["all"] is None


def test_markdown_tables_have_a_row_per_method(out: Path) -> None:
    text = (out / "results.md").read_text()
    assert "| offline |  | 4.00 | 6.00 | 5.00 |" in text
    assert "| short | 93 ms | 4.00 | 6.00 | 5.00 |" in text
    assert "vocals: 2 of 3 songs" in text
    assert "| silence |  | – | -30.00 | -30.00 |" in text


def test_the_curve_is_drawn(out: Path) -> None:
    image = imread(out / "sweep.png")
    assert image.shape[1] > 1000
    assert image.std() > 0.05, "an empty page"


class Reader(HTMLParser):
    """Checks that elements close in order, and collects what a browser would fetch."""

    VOID = ("meta", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        links = [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        self.fetched += [link for link in links if not link.startswith("#")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_nothing_but_itself(out: Path) -> None:
    page = (out / "results.html").read_text()
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert reader.fetched == []
    assert reader.tags.count("svg") == 2
    assert "script" not in reader.tags
    assert not re.search(r"url\((?!#)", page)


def test_the_same_results_give_the_same_page(out: Path) -> None:
    assert render_page(a_report(sweep=True)) == (out / "results.html").read_text()


def test_names_on_the_page_are_text() -> None:
    page = render_page(a_report(name="<img src=x>"))
    assert "&lt;img src=x&gt;" in page
    assert "&lt;sound&gt;" in page
    assert "<img" not in page


def test_what_cannot_be_written_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    for path in (tmp_path / "file" / "new", tmp_path):
        with pytest.raises(OutputError, match="cannot write"):
            write_whole(path, "new")
    with pytest.raises(OutputError, match="choose another output folder"):
        check_writable(tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "old"


def test_a_writable_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "folder")
    assert list((tmp_path / "new" / "folder").iterdir()) == []


def test_every_method_says_what_its_scores_depend_on() -> None:
    other = Live(LIVE.name, StreamConfig(context=4096, hop=4096, look_ahead=0))
    finished = replace(LIVE, finish=Finish(refinement="wiener"))
    followed = replace(LIVE, incremental=True)
    methods = OFFLINE, LIVE, other, finished, followed, MIXTURE, SILENCE
    facts = [method.facts() for method in methods]
    assert len({json.dumps(fact, sort_keys=True) for fact in facts}) == len(facts)
