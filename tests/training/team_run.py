"""One process of a training run on several; `test_training_team` starts them by torchrun.

Usage: torchrun --nproc-per-node 2 team_run.py DATA OUT
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch.distributed
from tiny_run import tiny_config, validated

from streamsep.training.loop import TrainingRun
from streamsep.training.team import join_team

if __name__ == "__main__":
    torch.set_num_threads(1)
    data, out = sys.argv[1:]
    team = join_team(torch.device("cpu"))
    run = TrainingRun(tiny_config(**validated()), Path(data), Path(out), team=team)
    run.run()
    torch.save(run.network.state_dict(), Path(out) / f"weights-{team.rank}.pt")
    torch.distributed.destroy_process_group()
