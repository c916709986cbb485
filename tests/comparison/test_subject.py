"""What a title says of a network."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from experiments.comparison.subject import of_model_and_data


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        ({"name": "mlp", "hidden": [64, 32]}, "MLP 64-32 on digits"),
        ({"name": "linear"}, "linear model on digits"),
        ({"name": "resnet", "depth": 20, "width": 16}, "ResNet-20 on digits"),
        ({"name": "gru", "hidden_size": 6, "dense": []}, "GRU 6 on digits"),
        ({"name": "transformer", "dim": 64, "depth": 4}, "transformer 64-4 on digits"),
        ({"name": "resnet18", "weights": None}, "resnet18 on digits"),
    ],
)
def test_a_title_names_the_network_and_its_size(model: dict[str, Any], shown: str) -> None:
    design: Any = SimpleNamespace(factor=["activation"])
    assert of_model_and_data([{"model": model, "data": {"name": "digits"}}], design) == shown


def test_a_depth_that_is_compared_is_not_in_the_title() -> None:
    design: Any = SimpleNamespace(factor=["model.depth"])
    configs = [{"model": {"name": "resnet", "depth": n}, "data": {"name": "d"}} for n in (8, 20)]
    assert of_model_and_data(configs, design) == "ResNet on d"
