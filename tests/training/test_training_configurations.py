"""Every configuration that comes with streamsep parses and builds."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from tiny_run import tiny_config

from streamsep.config import configs_folder, load_model_cards, load_preset
from streamsep.config.training import (
    AveragesConfig,
    LossConfig,
    StreamingConfig,
    TrainingConfig,
    load_training_config,
)
from streamsep.models.architectures import build_network, find_architecture
from streamsep.training.augmentation import Augmentation
from streamsep.training.live_practice import LivePractice
from streamsep.training.loss import Criterion

NAMES = sorted(path.stem for path in configs_folder("training").glob("*.yaml"))


def test_the_papers_and_the_starter_are_there():
    expected = {"demucs", "demucs_time", "finetune", "hybrid_demucs", "mdx", "starter", "streaming"}
    assert expected <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_configuration_builds(name):
    config = load_training_config(name)
    sources = ("drums", "bass", "other", "vocals")
    stride = 2_048
    if config.network is None:
        assert config.start_from in load_model_cards()
    else:
        # The options are checked as they are; the network is then a narrow one of its kind.
        shape = find_architecture(config.network.architecture).configure(config.network.options)
        narrow = build_network(config.network.architecture, {**config.network.options, "hidden": 8})
        sources, stride = shape.sources, narrow.stride
    Augmentation.from_config(config.augmentation, 44_100)
    Criterion(config.loss, sources)
    assert config.segment % stride == 0
    if config.streaming is not None:
        LivePractice(config.streaming, stride, config.seed)
    if config.validation.latency_preset is not None:
        load_preset(config.validation.latency_preset)


def test_the_published_settings_are_those_of_the_papers():
    paper = load_training_config("hybrid_demucs")
    assert paper.network is not None
    assert paper.network.options == {}
    assert (paper.epochs, paper.optimiser.learning_rate, paper.loss.weights) == (
        360,
        3e-4,
        {"l1": 1},
    )
    assert paper.averages == AveragesConfig(per_batch=(0.9995, 0.9999), per_epoch=(0.9, 0.95))
    assert paper.svd_penalty.weight == 1e-5
    tuned = load_training_config("finetune")
    assert (tuned.epochs, tuned.batch_size * 8, tuned.data.stride) == (4, 16, 2 * 44_100)
    assert tuned.segment / 44_100 == pytest.approx(28, abs=0.05)
    assert tuned.augmentation.repitch == tuned.augmentation.remix_group == 0


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"network": None}, "either 'network'.*or 'start_from'"),
        ({"start_from": "starter"}, "either 'network'.*or 'start_from'"),
        ({"steps": None}, "either 'epochs' or 'steps'"),
        ({"epochs": 2}, "either 'epochs' or 'steps'"),
        (
            {
                "streaming": StreamingConfig(
                    segment=(8192, 16384), hop=(2048, 2048), look_ahead=(0, 0)
                )
            },
            "got 16384 at most, expected at most .* 8192",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(changes, complaint):
    with pytest.raises(ValidationError, match=complaint):
        tiny_config(**changes)


def test_a_loss_of_one_kind_weighs_one():
    assert LossConfig(kind="rms").weights == {"rms": 1.0}
    assert LossConfig(kind={"l1": 0.2, "rms": 0.8}).weights == {"l1": 0.2, "rms": 0.8}
    with pytest.raises(ValidationError):
        LossConfig(kind={})


def test_what_is_not_said_has_the_papers_values():
    config = TrainingConfig(
        network=tiny_config().network, segment=8192, batch_size=1, steps=1, licence="", note=""
    )
    assert config.optimiser.learning_rate == 3e-4
    assert config.loss.weights == {"l1": 1.0}
    assert config.svd_penalty.weight == 0.0
