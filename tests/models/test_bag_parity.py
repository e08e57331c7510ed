"""A bag separates a file as demucs does with the same networks, shifts included."""

from __future__ import annotations

import json
from importlib.util import find_spec
from itertools import cycle

import numpy as np
import pytest
import torch
from networks import demucs_twin, ours_from_demucs, random_network
from parity import TOLERANCE, distance
from streams import feed, noise
from support import require, shared

from streamsep.engine import OverlapConfig, StreamingSeparator
from streamsep.models.bag import Bag, Member
from streamsep.models.demucs_time import TimeDemucs, TimeDemucsConfig

SEGMENT_S = 0.375
SEGMENT = int(44_100 * SEGMENT_S)
WEIGHTS = ((1.0, 0.0, 1.0, 0.5), (1.0, 1.0, 0.0, 0.25))


@pytest.mark.parametrize("power", [1, 2])
def test_a_bag_equals_the_stored_reference(power):
    reference = np.load(shared("reference/networks/apply_bag_split.npz"))
    facts = json.loads(shared("reference/networks/golden.json").read_text())["apply_bag_split"]
    members = []
    for prefix, weights in zip(("a/", "b/"), facts["weights"], strict=True):
        state = {
            key.removeprefix(prefix): torch.from_numpy(reference[key])
            for key in reference.files
            if key.startswith(prefix)
        }
        network = random_network(hidden=4)
        network.load_state_dict(ours_from_demucs(state))
        members.append(Member(prefix, network, tuple(weights)))
    assert facts["shifts"] == 0
    config = OverlapConfig(
        segment=int(44_100 * facts["segment"]), overlap=facts["overlap"], transition_power=power
    )
    mix = torch.from_numpy(reference["x"])[0]
    stems = feed(StreamingSeparator(Bag(members), config), mix, [10_000])
    assert distance(stems, torch.from_numpy(reference[f"y_tp{power}"])[0]) <= TOLERANCE


@pytest.fixture(scope="module", params=["hybrid and hybrid", "hybrid and in time", "in time"])
def bags(request):
    """Ours and demucs', of the same networks with the same weights."""
    require(find_spec("demucs"), "demucs is not installed")
    from demucs.apply import BagOfModels
    from demucs.demucs import Demucs

    hybrids = [random_network(hidden=4, seed=seed) for seed in (0, 1)]
    torch.manual_seed(0)
    in_time = TimeDemucs(TimeDemucsConfig(hidden=8)).eval()
    in_time_twin = Demucs(list(in_time.sources), channels=8).eval()
    in_time_twin.load_state_dict(in_time.state_dict())
    pairs = {
        "hybrid and hybrid": [(net, demucs_twin(net)) for net in hybrids],
        "hybrid and in time": [(hybrids[0], demucs_twin(hybrids[0])), (in_time, in_time_twin)],
        "in time": [(in_time, in_time_twin)],
    }[request.param]
    rows = WEIGHTS if len(pairs) == 2 else ((1.0, 1.0, 1.0, 1.0),)
    ours = Bag([Member("", net, row) for (net, _), row in zip(pairs, rows, strict=True)])
    theirs = BagOfModels([net for _, net in pairs], [list(row) for row in rows])
    return ours, theirs


# A network in time completes segments with what really lies around them; the last one is short.
@pytest.mark.parametrize(("shifts", "length"), [(0, 40_000), (0, 12_900), (1, 1_000), (2, 20_000)])
def test_a_bag_and_its_shifts_equal_demucs(bags, shifts, length, monkeypatch):
    from demucs import apply

    ours, theirs = bags
    stream = StreamingSeparator(ours, OverlapConfig(segment=SEGMENT), shifts=shifts, seed=length)
    # demucs draws where to begin in half a second of silence, anew for each member.
    offsets = cycle([22_050 - delay for delay in stream.delays])
    monkeypatch.setattr(apply.random, "randint", lambda least, most: next(offsets))
    mix = noise(2, length)
    expected = apply.apply_model(theirs, mix[None], shifts=shifts, segment=SEGMENT_S)[0]
    assert distance(feed(stream, mix, [7_000]), expected) <= TOLERANCE


def test_a_bag_without_some_stems_gives_the_others_the_same(bags):
    ours, _ = bags
    mix = noise(2, 20_000)
    whole, part = (
        feed(StreamingSeparator(bag, OverlapConfig(segment=SEGMENT)), mix, [20_000])
        for bag in (ours, ours.restrict(["vocals", "bass"]))
    )
    torch.testing.assert_close(part, whole[[1, 3]])
