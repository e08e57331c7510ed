"""Training on a CUDA device. A GPU is nothing to install, so without one these skip."""

from __future__ import annotations

import pytest
import torch
from tiny_run import tiny_config, write_song
from torch import nn

from streamsep.config.training import AugmentationConfig, NetworkChoice
from streamsep.training.loop import TrainingRun
from streamsep.training.team import Team

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")

CUDA = torch.device("cuda")


def test_gradients_of_lstms_do_not_drown_in_bfloat16(tmp_path):
    """In float16, which autocast would take for them, those of an untrained network are zero."""
    write_song(tmp_path / "songs" / "one")
    gradients, computed_in = [], []
    for precision in ("float32", "bfloat16"):
        config = tiny_config(
            network=NetworkChoice(hidden=16, layer_scale=1e-4),
            augmentation=AugmentationConfig(),
            precision=precision,
            steps=1,
        )
        run = TrainingRun(config, tmp_path / "songs", tmp_path / precision, team=Team(device=CUDA))
        lstms = [module for module in run.network.modules() if isinstance(module, nn.LSTM)]
        assert lstms
        for lstm in lstms:
            lstm.register_forward_hook(lambda *said: computed_in.append(said[2][0].dtype))
        run.run()
        weights = [weight for lstm in lstms for weight in lstm.parameters()]
        gradients.append(torch.cat([weight.grad.flatten() for weight in weights]))
    assert set(computed_in) == {torch.float32}
    exact, got = gradients
    assert float((exact == 0).float().mean()) < 0.01
    assert float((got == 0).float().mean()) < 0.01
    assert 0.8 < float(got.norm() / exact.norm()) < 1.25


def test_examples_that_others_prepare_are_those_of_the_loop(tmp_path):
    for seed in range(2):
        write_song(tmp_path / "songs" / str(seed), seed=seed)
    seen = []
    for workers in (0, 2):
        run = TrainingRun(
            tiny_config(batch_size=2),
            tmp_path / "songs",
            tmp_path / str(workers),
            team=Team(device=CUDA),
            workers=workers,
        )
        mixes: list[torch.Tensor] = []
        run.network.register_forward_pre_hook(lambda *said, to=mixes: to.append(said[1][0].clone()))
        run.run()
        seen.append(torch.stack(mixes))
    assert seen[0].is_cuda
    assert torch.equal(*seen)
