"""The page about networks of one's own: what it shows is what works."""

from __future__ import annotations

import re
import sys
import types
import warnings
from importlib.util import find_spec

import pytest
import torch
from streams import noise, one_push
from support import REPOSITORY, require

from streamsep.config import load_presets
from streamsep.config.network_description import NetworkDescription
from streamsep.engine import StreamConfig, StreamingSeparator
from streamsep.models import load_model

PAGE = (REPOSITORY / "docs" / "your_network.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The folder in which everything on the page was done, and what its Python left behind."""
    for package in ("onnxruntime", "onnxscript"):
        require(find_spec(package), f"{package} is not installed")
    folder = tmp_path_factory.mktemp("page")
    (description,) = blocks("yaml")
    (folder / "my_network.yaml").write_text(description, encoding="utf-8")
    module = types.ModuleType("my_package")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.chdir(folder)
        warnings.simplefilter("ignore")
        for code in blocks("python"):
            exec(compile(code, "docs/your_network.md", "exec"), vars(module))
    return folder, module


def test_the_stems_have_the_shape_that_is_shown(page):
    _, module = page
    assert module.stems.shape == (1, 2, 2, 44_100)


@pytest.mark.parametrize("extension", ["pt2", "ts", "onnx"])
def test_every_format_gives_the_same_stems(page, extension):
    folder, module = page
    described = (folder / "my_network.yaml").read_text(encoding="utf-8")
    path = folder / f"{extension}.yaml"
    path.write_text(described.replace(".pt2", f".{extension}"), encoding="utf-8")
    mix = torch.randn(1, 2, 2560)
    with torch.inference_mode():
        torch.testing.assert_close(load_model(path)(mix), module.network(mix), rtol=0, atol=1e-5)


def test_it_streams_at_every_preset(page):
    folder, module = page
    network = load_model(folder / "my_network.yaml")
    for preset in load_presets().values():
        config = StreamConfig.from_preset(preset)
        signal = noise(2, preset.segment + preset.hop + 7)
        stems = one_push(StreamingSeparator(network, config), signal)
        assert stems.shape == (2, 2, signal.shape[-1])
        # The first hop sees silence before the song and nothing else that is not in the signal.
        heard = torch.zeros(1, 2, preset.segment)
        heard[..., preset.context :] = signal[:, : preset.hop + preset.look_ahead]
        with torch.inference_mode():
            expected = module.network(heard)[0, ..., preset.context :]
        whole = slice(0, preset.hop)
        torch.testing.assert_close(stems[..., whole], expected[..., whole], rtol=0, atol=1e-5)


def test_the_class_of_a_package_is_a_network(page, tmp_path, monkeypatch):
    _, module = page
    (entry,) = re.findall(r"\[project\.entry-points.*?\n(.*?)\n", blocks("toml")[0])
    name, target = re.fullmatch(r'(\w+) = "(.*)"', entry).groups()
    monkeypatch.setitem(sys.modules, target.partition(":")[0], module)
    module.__file__ = str(tmp_path / "my_package.py")
    info = tmp_path / "mine-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[streamsep.models]\n{name} = {target}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    network = load_model(name)
    assert (network.name, network.licence) == ("my_network", "MIT")


def test_the_table_names_every_key():
    rows = PAGE.partition("| key | meaning |")[2].partition("\n\n")[0].splitlines()[2:]
    named = {key for row in rows for key in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == set(NetworkDescription.model_fields)
