"""One process of a training run on several; `test_training_team` starts them by torchrun.

Usage: torchrun --nproc-per-node 2 team_run.py DATA OUT [ARCHITECTURE]
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch.distributed
from tiny_run import tiny_config, validated

from streamsep.config.training import NetworkChoice
from streamsep.training.loop import TrainingRun
from streamsep.training.team import join_team

if __name__ == "__main__":
    torch.set_num_threads(1)
    data, out, *architecture = sys.argv[1:]
    changes = validated()
    if architecture:
        changes["network"] = NetworkChoice(architecture=architecture[0], hidden=4)
    team = join_team(torch.device("cpu"))
    run = TrainingRun(tiny_config(**changes), Path(data), Path(out), team=team)
    run.run()
    weights = run.network.state_dict()
    for name, average in run.averages:
        weights |= {f"{name} {key}": value for key, value in average.items()}
    torch.save(weights, Path(out) / f"weights-{team.rank}.pt")
    torch.distributed.destroy_process_group()
