"""Networks that other installed packages bring along."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest
import torch
from exported_programs import describe, plain_network, trace
from streaming_suite import StreamingSuite
from streams import noise

from streamsep.errors import ConfigError, ModelError, UnknownModelError
from streamsep.models import load_model
from streamsep.models.installed import installed_networks

GOOD = """
    import torch

    class Halves(torch.nn.Module):
        card = {
            "description": "every stem is half of the mixture",
            "sources": ["voice", "band"],
            "sample_rate": 32000,
            "channels": 2,
            "licence": "CC0",
        }
        sample_rate, channels, sources, stride = 32000, 2, ("voice", "band"), 8

        def __init__(self):
            super().__init__()
            self.gain = torch.nn.Parameter(torch.tensor(0.5))

        def forward(self, mix):
            return torch.stack([self.gain * mix] * 2, dim=1)
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of installed packages, on this process's path and ready for another's."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for module in [name for name in sys.modules if name.startswith("brought_")]:
        del sys.modules[module]


def install(site, name, source, target="network", package=None):
    """Install a package that brings one network, as pip leaves it."""
    package = package or name
    module = f"brought_{package.replace('-', '_')}"
    (site / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
    info = site / f"{package}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n", encoding="utf-8"
    )
    (info / "entry_points.txt").write_text(
        f"[streamsep.models]\n{name} = {module}:{target}\n", encoding="utf-8"
    )


def in_another_process(site, *arguments, cwd):
    environment = {**os.environ, "PYTHONPATH": str(site), "COLUMNS": "200"}
    command = [sys.executable, "-m", "streamsep", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=240, check=False, cwd=cwd, env=environment
    )


class TestAnInstalledNetworkStreams(StreamingSuite):
    """All tests of the suite, on a network of another package."""

    @pytest.fixture
    def separator(self, site):
        install(site, "halves", GOOD, "Halves")
        return load_model("halves")


def test_an_installed_network_is_found_by_its_name(site):
    install(site, "halves", GOOD, "Halves")
    network = load_model("halves")
    assert (network.name, network.licence, network.sample_rate) == ("halves", "CC0", 32_000)
    assert network.segment % (4 * network.stride) == 0
    assert network.path == site / "brought_halves.py"
    mix = noise(2, 100)[None]
    torch.testing.assert_close(network(mix), 0.5 * mix[:, None].repeat(1, 2, 1, 1))
    assert not network.separator.training
    assert not any(weight.requires_grad for weight in network.separator.parameters())


def test_several_processes_can_judge_it(site, tmp_path):
    import soundfile

    install(site, "halves", GOOD, "Halves")
    for song in ("a", "b"):
        (tmp_path / "songs" / song).mkdir(parents=True)
        for stem in ("voice", "band"):
            audio = noise(2, 32_000).numpy().T
            soundfile.write(tmp_path / "songs" / song / f"{stem}.wav", audio, 32_000)
    arguments = ["evaluate", "songs", "-n", "halves", "--metrics", "nsdr", "-j", 2, "-o", "out"]
    ended = in_another_process(site, *arguments, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "songs: 2" in (tmp_path / "out" / "results.md").read_text(encoding="utf-8")


def test_the_command_line_lists_and_uses_it(site, tmp_path):
    import soundfile

    install(site, "halves", GOOD, "Halves")
    install(site, "broken", "import a_module_that_nobody_has")
    listed = in_another_process(site, "models", "--json", cwd=tmp_path)
    assert listed.returncode == 0, listed.stderr
    entries = {entry["name"]: entry for entry in json.loads(listed.stdout)}
    assert entries["halves"]["where"] == "installed"
    assert entries["halves"]["distribution"] == "halves 1.2"
    assert entries["halves"]["sources"] == ["voice", "band"]
    assert entries["halves"]["problem"] is None
    assert "a_module_that_nobody_has" in entries["broken"]["problem"]
    assert "starter" in entries

    soundfile.write(tmp_path / "song.wav", 0.1 * noise(2, 4000).T.numpy(), 32_000)
    ended = in_another_process(site, "separate", "-n", "halves", "song.wav", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    song, _ = soundfile.read(tmp_path / "song.wav")
    voice, _ = soundfile.read(tmp_path / "separated" / "halves" / "song" / "voice.wav")
    # Files are given to a network without their mean, of which every stem gets all back.
    assert abs(voice - 0.5 * (song + song.mean())).max() < 1e-4


def test_a_function_that_returns_a_description_offers_an_exported_program(site):
    description = describe(trace(plain_network(), torch.randn(1, 2, 128), site / "net.ts"))
    source = f"def network():\n    return {str(description)!r}\n"
    install(site, "exported", source)
    network = load_model("exported")
    assert (network.name, network.licence) == ("exported", "CC0")
    mix = noise(2, 160)[None]
    torch.testing.assert_close(network(mix), plain_network()(mix), rtol=0, atol=1e-6)
    description.unlink()
    with pytest.raises(ModelError, match=r"network 'exported' of exported 1.2: .* cannot be read"):
        load_model("exported")


MAKES = """
    import torch

    class Network:
        sample_rate, channels, sources, stride = 44100, 2, ("voice", "band"), 8
        {facts}

        def __call__(self, mix):
            {body}

    network = Network
"""
BROKEN = {
    "an import that fails": ("import nothing_of_the_kind", "nothing_of_the_kind"),
    "an exit while importing": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "a name that is not there": ("", "has no attribute 'network'"),
    "no function": ("network = 5", "is a int, expected a class or function"),
    "a function of one argument": ("def network(device): ...", "missing 1 required"),
    "nothing": ("def network(): ...", "made a NoneType, expected a network that can be called"),
    "a lambda": ("def network(): return lambda mix: mix", "the function it made: sample_rate is N"),
    "a stem that is no file's": (
        MAKES.format(facts='sources = ("../voice",)', body="return mix"),
        "it made: sources.0 is '../voice'",
    ),
    "no stride": (MAKES.format(facts="stride = 0", body="return mix"), "stride is 0, expected"),
    "a wrong shape": (
        MAKES.format(facts="", body="return mix"),
        r"got float32 \[1, 2, 8\] .* expected float32 \[B, S, C, T\] = \[1, 2, 2, 8\]",
    ),
    "no tensor": (MAKES.format(facts="", body="return 'mix'"), "got a str, expected a tensor"),
    "no numbers": (
        MAKES.format(facts="", body="return torch.stack([mix / 0] * 2, dim=1)"),
        "of 8 samples of silence are not finite",
    ),
    "a call that fails": (MAKES.format(facts="", body="return {}[mix]"), "KeyError"),
    "a fact that fails": (
        MAKES.format(facts="sources = property(lambda self: {}['names'])", body="return mix"),
        "KeyError: 'names'",
    ),
    "a shortest segment that is none": (
        MAKES.format(facts="minimum_segment = 'long'", body="return mix"),
        "it made: minimum_segment is 'long', expected a valid integer",
    ),
    "a longest segment below the stride": (
        MAKES.format(facts="longest_segment = 3", body="return mix"),
        "it made: longest_segment is 3, expected at least its stride of 8",
    ),
    "no memory to make it": (
        "import torch\ndef network(): return torch.empty(2**60)",
        "there is not enough memory for it; make room",
    ),
    "no memory to move it": (
        """
        import torch

        class Network(torch.nn.Module):
            sample_rate, channels, sources, stride = 44100, 2, ("voice", "band"), 8

            def to(self, place):
                return torch.empty(2**60)

        network = Network
        """,
        "there is not enough memory for it; make room",
    ),
    "no way to move it": (
        """
        import torch

        class Network(torch.nn.Module):
            sample_rate, channels, sources, stride = 44100, 2, ("voice", "band"), 8

            def to(self, place):
                raise TypeError("it stays")

        network = Network
        """,
        "TypeError: it stays",
    ),
    "a card that is wrong": (
        "def network(): ...\nnetwork.card = {'licence': 5}",
        "its card: licence is 5, expected a valid string",
    ),
}


CALLABLES = {
    "partial": "network = functools.partial(Halves)",
    "instance": """
class Maker:
    def __call__(self):
        return Halves()

network = Maker()
""",
}


@pytest.mark.parametrize("kind", CALLABLES)
def test_any_object_that_can_be_called_offers_a_network(site, kind):
    source = "import functools\n" + textwrap.dedent(GOOD) + CALLABLES[kind]
    install(site, "halves", source)
    network = load_model("halves")
    assert network.path == site / "brought_halves.py"
    mix = noise(2, 64)[None]
    torch.testing.assert_close(network(mix), torch.stack([mix / 2, mix / 2], dim=1))


@pytest.mark.parametrize("mistake", BROKEN)
def test_a_broken_package_is_one_line_that_names_it(site, mistake):
    source, said = BROKEN[mistake]
    install(site, "broken", source)
    install(site, "halves", GOOD, "Halves")
    with pytest.raises(ModelError, match=said) as caught:
        load_model("broken")
    assert str(caught.value).startswith("network 'broken' of broken 1.2: ")
    assert "\n" not in str(caught.value)
    assert load_model("halves").name == "halves"
    networks = {network.name: network for network in installed_networks()}
    assert networks["halves"].problem is None
    assert networks["halves"].card.description == "every stem is half of the mixture"


def test_two_packages_of_one_name_are_told_apart(site):
    install(site, "halves", GOOD, "Halves")
    install(site, "halves", GOOD, "Halves", package="other-halves")
    with pytest.raises(ModelError, match=r"'halves': halves 1.2 and other-halves 1.2; remove one"):
        load_model("halves")


def test_a_name_of_ours_stays_ours(site):
    install(site, "starter", GOOD, "Halves")
    assert load_model("starter").sources == ("drums", "bass", "other", "vocals")
    (listed,) = installed_networks(taken=["starter"])
    assert "streamsep has a network 'starter' of its own" in listed.problem


def test_installed_names_are_among_the_known_ones(site):
    install(site, "halves", GOOD, "Halves")
    with pytest.raises(UnknownModelError, match=r"'halvs', did you mean 'halves'\?"):
        load_model("halvs")


def test_a_device_that_is_not_there_is_one_line(site):
    install(site, "halves", GOOD, "Halves")
    with pytest.raises(ConfigError, match="device 'toaster' cannot be used here"):
        load_model("halves", device="toaster")
