"""What is given by keywords is what would be typed."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra.core.config_store import ConfigStore
from torch import nn
from torchmetrics.classification import MulticlassF1Score

from experiments.config.given_code import GIVEN
from experiments.config.keywords import Choice, Keywords, chosen_among
from experiments.errors.messages import UserError


def said(**settings: Any) -> Keywords:
    keywords = Keywords()
    keywords.add(settings)
    return keywords


@pytest.mark.parametrize(
    ("settings", "overrides"),
    [
        ({"seed": 3}, ["seed=3"]),
        ({"seed": np.int64(3)}, ["seed=3"]),
        ({"test": False}, ["test=false"]),
        ({"resume": None}, ["resume=null"]),
        ({"optim": "sgd"}, ["optim=sgd"]),
        ({"optim": {"name": "adam", "lr": 1e-3}}, ["optim=adam", "optim.lr=0.001"]),
        ({"optim": {"lr": torch.tensor(0.5)}}, ["optim.lr=0.5"]),
        ({"model": {"name": "mlp", "hidden": (8, 8)}}, ["model=mlp", "model.hidden=[8,8]"]),
        ({"data": {"augment": {"noise": 0.1}}}, ["data.augment.noise=0.1"]),
        ({"trainer": {"max_epochs": 3}}, ["trainer.max_epochs=3"]),
        ({"paths": {"output": Path("here")}}, ["paths.output=here"]),
        ({"logger": {"notes": "a, b"}}, ["logger.notes='a, b'"]),
        ({"data": {"batch_size": "full"}}, ["data.batch_size=full"]),
        ({"metrics": ["f1_macro", "auroc"]}, ["metrics=[f1_macro,auroc]"]),
        ({"callbacks": None, "logger": None}, ["callbacks=none", "logger=none"]),
        ({"callbacks": "early_stopping"}, ["callbacks=early_stopping"]),
        ({"optim": {"search": {"lr": [0.1, 1]}}}, ["optim.search.lr=[0.1,1]"]),
    ],
)
def test_plain_values(settings: dict[str, Any], overrides: list[str]) -> None:
    keywords = said(**settings)
    assert (keywords.overrides, keywords.choices) == (overrides, [])


def test_a_class_is_a_choice_with_what_it_takes_by_default() -> None:
    def net(shape, num_outputs, activation="gelu", width=8, rate=0.5, kind=None, sizes=(1,)):
        return nn.Linear(shape[0], num_outputs)

    keywords = said(model=net, activation=nn.LeakyReLU)
    assert keywords.overrides == ["model=net", "activation=LeakyReLU"]
    [own, known] = keywords.choices
    path = own.node.pop("_target_")
    assert GIVEN[path].target is net
    assert (own.group, own.name) == ("model", "net")
    assert own.node == {"name": "net", "width": 8, "rate": 0.5}
    assert known.node["_target_"] == "torch.nn.modules.activation.LeakyReLU"
    assert (known.node["negative_slope"], known.node["inplace"]) == (0.01, False)


def test_arguments_of_a_class() -> None:
    asked: list[Any] = [
        {"_target_": nn.ELU, "alpha": 0.5},
        functools.partial(nn.ELU, alpha=0.5),
        {"_target_": functools.partial(nn.ELU, alpha=2.0), "alpha": 0.5},
    ]
    nodes = [said(activation=value).choices[0].node for value in asked]
    assert nodes[0]["alpha"] == 0.5
    assert nodes == [nodes[0]] * 3
    named = said(activation={"_target_": "torch.nn.ELU", "name": "half"})
    assert named.overrides == ["activation=half"]
    assert named.choices[0].node == {"name": "half", "_target_": "torch.nn.ELU"}


def test_a_class_takes_no_name_that_a_file_has() -> None:
    def mlp() -> None: ...

    keywords = said(model=mlp, activation=lambda: nn.ReLU())
    assert keywords.overrides == ["model=my_mlp", "activation=lambda"]


def test_of_some_groups_there_are_several() -> None:
    class Watch:
        def __init__(self, every: int = 1) -> None: ...

    first, *_ = keywords = [
        said(callbacks=["early_stopping", Watch, {"_target_": Watch, "every": 2}]),
        said(metrics={"mine": {"_target_": MulticlassF1Score, "average": "micro"}}),
    ]
    assert first.overrides == ["callbacks=[early_stopping,watch,watch_2]"]
    [one, two] = [choice.node for choice in first.choices]
    assert list(one["watch"]) == ["_target_"]
    assert two["watch_2"]["every"] == 2
    assert keywords[1].overrides == ["metrics=mine"]
    [metric] = keywords[1].choices
    assert metric.node == {
        "mine": {
            "_target_": "torchmetrics.classification.f_beta.MulticlassF1Score",
            "better": "max",
            "average": "micro",
        }
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": nn.Linear(2, 2)}, r"model: Linear is given.*model=dict\(_target_=Class"),
        ({"model": {"hidden": {1, 2}}}, "model.hidden: set is given"),
        ({"trainer": nn.Linear}, "trainer: a class is given.*model, activation"),
        ({"model": functools.partial(nn.Linear, 2)}, "partial of Linear.*without names"),
        ({"callbacks": nn.Linear(1, 1)}, "callbacks: Linear is given"),
    ],
)
def test_what_no_configuration_can_hold(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        said(**settings)


def test_choices_last_as_long_as_their_block() -> None:
    store = ConfigStore.instance()
    store.store(group="colour", name="red", node={"hue": 0})
    earlier = store.repo["colour"]["red.yaml"]
    own = [Choice("colour", "red", {"hue": 1}), Choice("taste", "sour", {})]
    with chosen_among(own):
        assert store.load("colour/red.yaml").node == {"hue": 1}
        assert "sour.yaml" in store.repo["taste"]
    assert store.repo["colour"]["red.yaml"] is earlier
    assert "taste" not in store.repo
    del store.repo["colour"]
