"""Bags of the registry, and bags of one's own described in YAML."""

from __future__ import annotations

import json
import shutil

import pytest
import soundfile
import torch
import yaml
from cli.commands import typed
from streams import noise
from tiny_networks import tiny_network

from streamsep.config import BagCard, load_bag_cards, load_model_cards
from streamsep.errors import CheckpointError, ConfigError, DownloadError, UnknownModelError
from streamsep.models import available_models, load_model, obtain_model, registry
from streamsep.models.checkpoints import save_checkpoint

NAME = "repro_mdx_a_hybrid_only"
MEMBERS = ("repro_mdx_a_fa0cb7f9", "repro_mdx_a_902315c2")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Files of three tiny networks; the first two go together."""
    folder = tmp_path_factory.mktemp("weights")
    for name, architecture, licence in (
        ("one", "hybrid_demucs", "CC0"),
        ("two", "conv_tasnet", "MIT"),
        ("mono", "open_unmix mono", "MIT"),
    ):
        path = folder / f"{name}.safetensors"
        save_checkpoint(tiny_network(architecture), path, licence=licence, training="none")
    return folder


@pytest.fixture
def places(tmp_path, monkeypatch, weights):
    """Empty caches, and a server that gives the first tiny network whatever it is asked for."""
    size = (weights / "one.safetensors").stat().st_size
    cards = {
        name: card.model_copy(update={"size_bytes": size, "size_exact": True})
        for name, card in load_model_cards().items()
    }
    monkeypatch.setattr(registry, "load_model_cards", lambda: cards)

    def fetch(url, destination, *, progress, **_):
        if progress is not None:
            progress(size // 2, size)
            progress(size, size)
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(weights / "one.safetensors", destination)

    monkeypatch.setattr(registry, "fetch", fetch)
    return {"cache_dir": tmp_path / "cache", "hub_dir": tmp_path / "hub"}


@pytest.fixture
def own(tmp_path, weights):
    """Writes a bag of one's own beside the files of weights."""

    def write(file="mine.yaml", /, **content):
        folder = tmp_path / "own"
        shutil.copytree(weights, folder, dirs_exist_ok=True)
        (folder / file).write_text(yaml.safe_dump(content))
        return folder / file

    return write


# Bags of the registry


def test_a_bag_is_loaded_by_its_name_and_its_members_are_downloaded(places):
    cards = load_model_cards()
    calls = []
    model = load_model(NAME, progress=lambda *call: calls.append(call), **places)
    assert (model.name, model.card.name, model.card.architecture) == (NAME, NAME, "bag")
    assert model.sources == ("drums", "bass", "other", "vocals")
    assert [member.name for member in model.separator.members] == list(MEMBERS)
    files = {places["cache_dir"] / cards[member].filename for member in MEMBERS}
    assert set(model.member_files) == files
    assert model.files[0] == model.path
    assert model.licence == cards[MEMBERS[0]].licence  # said once: both have the same
    assert model.segment % (4 * model.stride) == 0
    size = calls[0][1] // 2
    assert calls == [(part * size // 2, 2 * size) for part in (1, 2, 3, 4)]
    mix = 0.1 * torch.randn(1, 2, 3_000, generator=torch.Generator().manual_seed(0))
    one = load_model(MEMBERS[0], **places)
    torch.testing.assert_close(model(mix), one(mix))  # here both members are the same


def test_a_member_that_cannot_be_had_is_named(places, monkeypatch):
    with pytest.raises(
        DownloadError, match=f"{NAME}: {MEMBERS[0]} is not on this machine and downloads are off"
    ):
        load_model(NAME, download=False, **places)

    def broken(url, destination, **_):
        raise DownloadError(f"cannot download {url}: no network")

    monkeypatch.setattr(registry, "fetch", broken)
    with pytest.raises(DownloadError, match=f"{NAME}: cannot download https://.*: no network"):
        load_model(NAME, **places)


def test_all_members_can_be_obtained_before_a_bag_is_loaded(places, own):
    calls = []
    inner = own("inner.yaml", members=[NAME, "outer.yaml"])
    outer = own("outer.yaml", members=["one.safetensors", "inner.yaml"])
    path = obtain_model(outer, progress=lambda *call: calls.append(call), **places)
    assert path == str(outer)
    assert calls[-1][0] == calls[0][1] == 2 * calls[1][0]
    assert load_model(NAME, download=False, **places).name == NAME
    assert inner.exists()


def test_the_list_has_the_bags_and_says_whether_all_members_are_there(places):
    def listed():
        return {model.card.name: model for model in available_models(**places)}[NAME]

    cards = load_model_cards()
    assert listed().path is None
    load_model(MEMBERS[0], **places)
    assert listed().path is None
    load_model(MEMBERS[1], **places)
    assert listed().path.name == f"{NAME}.yaml"
    card = listed().card
    assert (card.architecture, card.official, card.packaged) == ("bag", False, False)
    assert card.sources == cards[MEMBERS[0]].sources
    assert (card.sample_rate, card.channels) == (44_100, 2)
    assert card.size_bytes == sum(registry.load_model_cards()[m].size_bytes for m in MEMBERS)
    assert (card.licence, card.training) == (cards[MEMBERS[0]].licence, cards[MEMBERS[0]].training)


@pytest.mark.parametrize("name", load_bag_cards())
def test_a_bag_of_the_registry_names_networks_that_go_together(name):
    bag, cards = load_bag_cards()[name], load_model_cards()
    assert bag.name == name not in cards
    facts = {(cards[m].sources, cards[m].sample_rate, cards[m].channels) for m in bag.members}
    assert len(facts) == 1
    stems = len(next(iter(facts))[0])
    assert all(len(row) == stems for row in bag.weights or [])
    assert bag.segment % 8192 == 0
    assert bag.description


# Bags of one's own


def test_a_bag_of_ones_own_takes_files_beside_it_and_names(own, places):
    path = own(members=["one.safetensors", "two.safetensors"], weights=[[1, 0, 1, 3], [0, 1, 1, 1]])
    model = load_model(path, **places)
    assert (model.name, model.card, model.licence) == ("mine", None, "CC0; MIT")
    assert (model.stride, model.segment % (4 * model.stride)) == (160, 0)
    one, two = (load_model(path.with_name(f"{name}.safetensors")) for name in ("one", "two"))
    mix = 0.1 * torch.randn(1, 2, 2_000, generator=torch.Generator().manual_seed(0))
    drums, _, other, vocals = model(mix)[0]
    torch.testing.assert_close(drums, one(mix)[0, 0])
    torch.testing.assert_close(other, (one(mix) + two(mix))[0, 2] / 2)
    torch.testing.assert_close(vocals, 0.75 * one(mix)[0, 3] + 0.25 * two(mix)[0, 3])
    assert not any(
        weight.requires_grad for weight in model.separator.members[0].separator.parameters()
    )


def test_a_bag_may_hold_bags_and_says_its_own_terms_name_and_segment(own, places):
    own("inner.yaml", members=["one.safetensors", "two.safetensors"])
    path = own(
        "outer.yaml",
        name="all_of_them",
        licence="mine",
        members=["inner.yaml", MEMBERS[0]],
        segment=5_000,
    )
    model = load_model(path, **places)
    assert (model.name, model.licence, model.segment) == ("all_of_them", "mine", 5_120)
    assert [member.name for member in model.separator.members] == [
        "inner: one",
        "inner: two",
        MEMBERS[0],
    ]
    assert path.with_name("inner.yaml") in model.files


def test_a_file_that_is_named_twice_is_loaded_once(own, places):
    model = load_model(own(members=["one.safetensors", "./one.safetensors"]), **places)
    assert len(model.separator.members) == 1
    assert len(model.files) == 2


def test_restricting_a_model_leaves_single_networks_alone(own, places):
    bag = load_model(
        own(
            members=["one.safetensors", "two.safetensors"],
            weights=[[1, 0, 1, 1], [0, 1, 1, 0]],
        ),
        **places,
    )
    single = load_model(bag.path.with_name("one.safetensors"))
    assert single.restrict(["bass"]) is single
    bass = bag.restrict(["bass"])
    assert (bass.sources, bass.name, bass.segment) == (("bass",), bag.name, bag.segment)
    assert [member.name for member in bass.separator.members] == ["two"]


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        ({}, ConfigError, "key 'members' is missing"),
        ({"members": []}, ConfigError, "key 'members': got"),
        ({"members": [""]}, ConfigError, "key 'members.0': got ''"),
        ({"members": ["one.safetensors", 3]}, ConfigError, "key 'members.1': got 3"),
        (
            {"members": ["one.safetensors"], "weigths": [[1, 1, 1, 1]]},
            ConfigError,
            "unknown key 'weigths', did you mean 'weights'",
        ),
        (
            {"members": ["three.safetensors"]},
            UnknownModelError,
            "unknown model 'three.safetensors', .* or the path of a file",
        ),
        (
            {"members": ["hdemucs_mni"]},
            UnknownModelError,
            "unknown model 'hdemucs_mni', did you mean 'hdemucs_mmi'",
        ),
        ({"members": ["broken.th"]}, CheckpointError, "broken.th: not a file of weights"),
        (
            {"members": ["one.safetensors", "mono.safetensors"]},
            ConfigError,
            "'mono' has channels 1 and 'one' 2, but the members of a bag must agree",
        ),
        (
            {"members": ["one.safetensors"], "weights": [[1, 1, 1]]},
            ConfigError,
            "'one' has 3 weights, expected one for each of drums, bass, other, vocals",
        ),
        (
            {"members": ["one.safetensors"], "weights": [[1, 1, 1, 1], [1, 1, 1, 1]]},
            ConfigError,
            "got rows of 4, 4 numbers, expected 1, one for each member",
        ),
        (
            {"members": ["one.safetensors"] * 2, "weights": [[1, 1, 1, 1], [1, 1]]},
            ConfigError,
            "got rows of 4, 2 numbers, expected 2",
        ),
        (
            {"members": ["one.safetensors"] * 2, "weights": [[1, 0, 1, 1], [1, 0, 1, 1]]},
            ConfigError,
            "column 2 is all 0, so nobody would separate that stem",
        ),
        (
            {"members": ["one.safetensors"], "weights": [[1, 1, 1, -1]]},
            ConfigError,
            "key 'weights.0.3': got -1",
        ),
        (
            {"members": ["one.safetensors"], "weights": [[1, 1, 1, "1"]]},
            ConfigError,
            "key 'weights.0.3': got '1'",
        ),
        (
            {"members": ["one.safetensors"], "weights": [[1, 1, 1, float("nan")]]},
            ConfigError,
            "key 'weights.0.3': got nan",
        ),
        (
            {"members": ["mine.yaml"]},
            ConfigError,
            r"this bag is a member of itself \(mine.yaml → mine.yaml\); leave it out",
        ),
    ],
)
def test_a_wrong_bag_is_one_line_that_names_it(own, places, content, kind, message):
    path = own(**content)
    path.with_name("broken.th").write_bytes(b"nothing of the kind")
    with pytest.raises(kind, match=message) as caught:
        load_model(path, **places)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_bags_that_hold_each_other_are_refused(own, places):
    own("a.yaml", members=["one.safetensors", "b.yaml"])
    own("b.yaml", members=["c.yaml"])
    path = own("c.yaml", members=["a.yaml"])
    with pytest.raises(ConfigError, match=r"\(c.yaml → a.yaml → b.yaml → c.yaml\)") as caught:
        load_model(path, **places)
    assert "\n" not in str(caught.value)


def test_the_command_line_takes_a_bag_and_fits_the_preset_to_its_stride(
    own, tmp_path, monkeypatch, capsys
):
    path = own(members=["one.safetensors", "two.safetensors"])
    monkeypatch.chdir(tmp_path)
    soundfile.write("song.wav", noise(2, 3_000).T.numpy(), 44_100)
    ended = typed(
        capsys, "separate", "-n", path, "song.wav", "--latency-preset", "shortest", "--json"
    )
    assert (ended.code, ended.err) == (0, "")
    outcome = json.loads(ended.out)
    assert (outcome["model"], outcome["frames"]) == ("mine", 3_000)
    assert outcome["latency"] == 2_080  # 2048, rounded up to the bag's stride of 160
    wrong = own(members=["three.safetensors"])
    ended = typed(capsys, "separate", "-n", wrong, "song.wav")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert f"{wrong}: unknown model 'three.safetensors'" in ended.err


def test_a_card_without_weights_counts_all_the_same():
    card = BagCard(members=("a", "b"))
    assert (card.name, card.weights, card.segment) == (None, None, None)
