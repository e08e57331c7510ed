from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from streamsep.config import configs_folder, load_model_cards
from streamsep.errors import ConfigError

TORCHAUDIO = "https://download.pytorch.org/torchaudio/"


def test_every_card_is_named_after_its_file_and_every_name_is_there():
    files = {path.stem for path in configs_folder("models").glob("*.yaml")}
    cards = load_model_cards()
    assert set(cards) == files
    assert {"starter", "hdemucs_high_musdb_plus", "hdemucs_high_musdb", "hdemucs_mmi"} <= files


def test_official_cards_come_first_in_the_order_of_their_ranks():
    official = [card.official for card in load_model_cards().values()]
    ranks = [card.rank for card in load_model_cards().values() if card.official]
    assert official == sorted(official, reverse=True)
    assert ranks == list(range(1, len(ranks) + 1))


def test_bundles_lie_where_torchaudio_looks_for_them():
    pipelines = pytest.importorskip("torchaudio.pipelines")
    cards = load_model_cards()
    for name in ("HDEMUCS_HIGH_MUSDB_PLUS", "HDEMUCS_HIGH_MUSDB"):
        card = cards[name.lower()]
        assert card.url == TORCHAUDIO + getattr(pipelines, name)._model_path
        assert card.filename == Path(card.url).name


def test_checksums_of_demucs_files_agree_with_their_names():
    pretrained = pytest.importorskip("demucs.pretrained")
    known = pretrained._parse_remote_files(pretrained.REMOTE_ROOT / "files.txt")
    cards = [card for card in load_model_cards().values() if card.format == "demucs"]
    assert cards
    for card in cards:
        signature, prefix = card.filename.removesuffix(".gz").removesuffix(".th").split("-")
        assert card.sha256.startswith(prefix)
        if card.architecture in ("hybrid_demucs", "demucs_time", "htdemucs"):
            assert card.url == known.pop(signature)
        else:
            assert card.url.startswith("https://dl.fbaipublicfiles.com/demucs/v")
    assert not known, "every file that demucs 4 knows has a card"


def test_cards_say_the_terms_and_the_training_of_their_weights():
    for card in load_model_cards().values():
        assert card.licence
        assert card.training
        assert card.segment % 2048 == 0


def test_sizes_are_compared_exactly_only_when_known_exactly():
    cards = load_model_cards()
    exact, rough = cards["hdemucs_mmi"], cards["hdemucs_high_musdb"]
    assert exact.accepts_size(exact.size_bytes)
    assert not exact.accepts_size(exact.size_bytes - 1)
    assert rough.accepts_size(rough.size_bytes + 1000)
    assert not rough.accepts_size(rough.size_bytes // 2)
    assert rough.exact_size_bytes is None
    assert not cards["starter"].accepts_size(0)


@pytest.mark.parametrize(
    "change",
    [
        {"url": "http://insecure.example/x"},
        {"filename": "../../etc/passwd"},
        {"sha256": "123"},
        {"segment": 2049},
        {"sources": ["drums", "drums"]},
        {"sources": []},
        {"official": True, "rank": None},
        {"surprise": 1},
    ],
)
def test_impossible_cards_are_rejected(change):
    card = load_model_cards()["hdemucs_mmi"]
    with pytest.raises(ValidationError):
        type(card).model_validate(card.model_dump() | change)


def test_cards_and_presets_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        load_model_cards()["starter"].name = "other"


def test_a_missing_folder_is_one_clear_line():
    with pytest.raises(ConfigError, match=r"missing, looked in .* reinstall"):
        configs_folder("recipes")


def test_listing_networks_and_presets_does_not_import_torch():
    code = (
        "import sys, streamsep.config as c, streamsep.models.registry\n"
        "c.load_model_cards(), c.load_presets()\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
