from __future__ import annotations

import shutil

import pytest
import torch

from streamsep.config import load_model_cards
from streamsep.errors import CheckpointError, ConfigError, DownloadError, UnknownModelError
from streamsep.models import places as places_module
from streamsep.models import registry
from streamsep.models.checkpoints import save_checkpoint
from streamsep.models.hybrid_demucs import HybridDemucs, HybridDemucsConfig
from streamsep.models.registry import available_models, load_model, obtain_model

OFFICIAL = [card for card in load_model_cards().values() if card.official]
BEST = OFFICIAL[0]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A tiny network that stands for any published one."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    network = HybridDemucs(HybridDemucsConfig(hidden=4, n_fft=1024, depth=5))
    save_checkpoint(network, path, licence="CC0", training="none")
    return path


@pytest.fixture
def places(tmp_path, monkeypatch, weights):
    """Empty caches, a starter that is there, sizes that fit the tiny network, no network access."""
    (tmp_path / "package").mkdir()
    shutil.copy(weights, tmp_path / "package" / "starter.safetensors")
    monkeypatch.setattr(places_module, "_PACKAGED", tmp_path / "package")
    cards = {
        name: card.model_copy(update={"size_bytes": weights.stat().st_size, "size_exact": True})
        for name, card in load_model_cards().items()
    }
    monkeypatch.setattr(registry, "load_model_cards", lambda: cards)

    def offline(url, destination, **_):
        raise DownloadError(f"cannot download {url}: no network")

    monkeypatch.setattr(registry, "fetch", offline)
    return {"cache_dir": tmp_path / "cache", "hub_dir": tmp_path / "hub"}


def put(weights, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    return shutil.copy(weights, path)


def test_a_model_of_the_cache_is_loaded_ready_for_use(places, weights):
    path = put(weights, places["cache_dir"] / BEST.filename)
    model = load_model(BEST.name, **places)
    assert (model.name, model.path, model.warning) == (BEST.name, path, None)
    assert model.licence == BEST.licence
    assert model.segment % model.separator.stride == 0
    assert model.sources == ("drums", "bass", "other", "vocals")
    assert not model.separator.training
    assert not any(weight.requires_grad for weight in model.separator.parameters())
    assert model.separator(torch.zeros(1, 2, 5000)).shape == (1, 4, 2, 5000)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("hdemucs_high_musdb", "torchaudio/models/hdemucs_high_musdbhq_only.pt"),
        ("hdemucs_mmi", "checkpoints/75fc33f5-1941ce65.th"),
    ],
)
def test_files_of_torchaudio_and_demucs_are_found_in_torchs_cache(places, weights, name, place):
    path = put(weights, places["hub_dir"] / place)
    assert load_model(name, **places).path == path


def test_torchs_own_cache_folder_is_asked_for(places, weights, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(places["hub_dir"]))
    path = put(weights, places["hub_dir"] / "checkpoints" / "75fc33f5-1941ce65.th")
    assert load_model("hdemucs_mmi", cache_dir=places["cache_dir"]).path == path


def test_a_file_of_the_wrong_size_does_not_count(places, weights):
    path = put(weights, places["cache_dir"] / BEST.filename)
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(DownloadError, match="no network"):
        load_model(BEST.name, **places)


def test_a_missing_model_is_downloaded_and_checked(places, weights, monkeypatch):
    asked = {}

    def fetch(url, destination, **checks):
        asked.update(checks, url=url)
        checks["progress"](1, 2)
        put(weights, destination)

    monkeypatch.setattr(registry, "fetch", fetch)
    calls = []
    model = load_model(BEST.name, progress=lambda *call: calls.append(call), **places)
    assert model.path == places["cache_dir"] / BEST.filename
    assert (asked["url"], asked["sha256"]) == (BEST.url, BEST.sha256)
    assert asked["size_bytes"] == weights.stat().st_size
    assert calls == [(1, 2)]


def test_without_permission_nothing_is_downloaded(places):
    with pytest.raises(DownloadError, match=r"downloads are off; .* put https://.* at .* by hand"):
        load_model(BEST.name, download=False, **places)


def test_auto_takes_the_best_official_model_that_is_there(places, weights):
    put(weights, places["cache_dir"] / OFFICIAL[2].filename)
    put(weights, places["cache_dir"] / "e51eebcc-c1b80bdd.th")
    assert load_model(**places).name == OFFICIAL[2].name
    folder = "torchaudio/models" if OFFICIAL[1].format == "torchaudio" else "checkpoints"
    put(weights, places["hub_dir"] / folder / OFFICIAL[1].filename)
    model = load_model("auto", **places)
    assert (model.name, model.warning) == (OFFICIAL[1].name, None)


def test_auto_downloads_the_best_model_if_none_is_there(places, weights, monkeypatch):
    monkeypatch.setattr(registry, "fetch", lambda url, destination, **_: put(weights, destination))
    model = load_model(**places)
    assert (model.name, model.warning) == (BEST.name, None)


@pytest.mark.parametrize(("download", "reason"), [(True, "no network"), (False, "downloads are")])
def test_auto_falls_back_on_the_starter_and_says_so(places, download, reason):
    model = load_model(download=download, **places)
    assert model.name == "starter"
    assert reason in model.warning
    assert BEST.name in model.warning
    assert "dB SDR" in model.warning
    assert "\n" not in model.warning


def test_a_network_can_be_obtained_before_it_is_loaded(places, weights, monkeypatch, caplog):
    assert obtain_model(**places) == "starter"
    assert "'starter'" in caplog.text
    assert obtain_model(weights, **places) == str(weights)
    assert obtain_model("nobodys", **places) == "nobodys"
    with pytest.raises(DownloadError, match="no network"):
        obtain_model(BEST.name, **places)

    monkeypatch.setattr(registry, "fetch", lambda url, destination, **_: put(weights, destination))
    assert obtain_model(**places) == BEST.name
    assert load_model(BEST.name, download=False, **places).name == BEST.name


def test_auto_without_anything_is_a_download_error(places, tmp_path):
    (tmp_path / "package" / "starter.safetensors").unlink()
    with pytest.raises(DownloadError, match="no network"):
        load_model(**places)
    with pytest.raises(DownloadError, match="should have come with streamsep"):
        load_model("starter", **places)


def test_a_damaged_file_is_an_error_and_not_a_reason_to_take_another(places, weights):
    path = put(weights, places["cache_dir"] / BEST.filename)
    raw = bytearray(weights.read_bytes())
    raw[:9] = b"x" * 9
    path.write_bytes(raw)
    with pytest.raises(CheckpointError, match="not a file of weights"):
        load_model(**places)


def test_a_file_of_ones_own_keeps_its_licence(places, weights):
    model = load_model(weights, **places)
    assert (model.name, model.licence, model.card) == ("tiny", "CC0", None)
    assert load_model(str(weights), **places).path == weights


def test_a_newer_file_of_ones_own_is_told_by_its_name(places, weights, tmp_path):
    path = tmp_path / "newer.safetensors"
    # As long as before: lengths stand at the file's beginning.
    path.write_bytes(weights.read_bytes().replace(b'\\"format\\": 1', b'\\"format\\": 9'))
    with pytest.raises(CheckpointError, match=r"newer\.safetensors: format 9, .* upgrade"):
        load_model(path, **places)


def test_the_networks_of_two_runs_have_the_names_of_their_folders(
    places, weights, tmp_path, monkeypatch
):
    runs = [put(weights, tmp_path / "runs" / run / "network.safetensors") for run in ("one", "two")]
    assert [load_model(path, **places).name for path in runs] == ["one", "two"]
    monkeypatch.chdir(tmp_path / "runs" / "two")
    assert load_model("network.safetensors", **places).name == "two"
    assert load_model("../one/network.safetensors", **places).name == "one"
    bag = tmp_path / "mix" / "network.yaml"
    bag.parent.mkdir()
    bag.write_text(f"members: [{runs[0]}, {runs[1]}]\n")
    assert load_model(bag, **places).name == "mix"


def test_the_home_of_somebody_who_is_not_there_is_an_unknown_name(places):
    with pytest.raises(UnknownModelError, match=r"'~nobody-of-that-name/net\.th', expected one of"):
        load_model("~nobody-of-that-name/net.th")


def test_an_unknown_name_lists_the_known_ones_and_the_nearest(places):
    with pytest.raises(UnknownModelError, match=r"'hdemucs_mni', did you mean 'hdemucs_mmi'\? exp"):
        load_model("hdemucs_mni", **places)
    with pytest.raises(
        UnknownModelError, match=r"'xyz', expected one of auto, .*starter, .*, or the"
    ):
        load_model("xyz", **places)


def test_an_unusable_device_is_one_line(places, weights):
    with pytest.raises(ConfigError, match="device 'toaster' cannot be used here"):
        load_model(weights, device="toaster", **places)


def test_the_list_tells_what_is_on_this_machine(places, weights):
    path = put(weights, places["cache_dir"] / OFFICIAL[1].filename)
    listed = {model.card.name: model.path for model in available_models(**places)}
    assert next(iter(listed)) == BEST.name
    assert listed[OFFICIAL[1].name] == path
    assert listed[BEST.name] is None
    assert listed["starter"] is not None


def test_who_asks_for_bfloat16_elsewhere_than_on_a_processor_is_told(places, weights, caplog):
    load_model(weights, device="meta", precision="auto", **places)
    assert not caplog.records
    load_model(weights, device="meta", precision="bfloat16", **places)
    assert "on 'meta' computes in float32" in caplog.text
