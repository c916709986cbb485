"""conf/experiment: every file composes, the published ones are what was published, and every idea
of the lecture shows, in a small form."""

from __future__ import annotations

import itertools
import math
import re
import shlex
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from running import CONF, choices, composed, plain
from torch import nn
from torch.nn import functional as F

from experiments.data.sources import DataSpec
from experiments.training.build import build_module
from experiments.training.load import Run

Train = Callable[..., Run]
NAMES = [name for name in choices("experiment") if name != "none"]
IDEAS = {"nonlinearity", "sigmoid_in_depth", "full_batch", "optimizers", "cnn_vs_mlp"}
IDEAS |= {"shifted_images"}
PUBLISHED = {"mnist1d_linear", "mnist1d_mlp", "mnist1d_cnn", "mnist1d_gru", "deepobs_fmnist_2c2d"}
CURVES = {"double_descent"}
"""Published settings that are sweeps."""

TEN = tuple("0123456789")
SPECS = {
    "mnist1d": DataSpec((1, 40), 10, "classification", TEN),
    "fashion_mnist": DataSpec((1, 28, 28), 10, "classification", TEN),
}


def text_of(name: str) -> str:
    return (CONF / "experiment" / f"{name}.yaml").read_text(encoding="utf-8")


def network(*overrides: str) -> nn.Module:
    """Return the network of a config, its initial weights drawn, without loading any data."""
    config = plain(*overrides)
    return build_module(config, SPECS[config["data"]["name"]]).network


def num_parameters(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def jobs(name: str) -> list[list[str]]:
    """Return the overrides of each job that the file itself asks for, seeds left out."""
    sweeper = yaml.safe_load(text_of(name)).get("hydra", {}).get("sweeper", {}).get("params", {})
    swept = [f"{key}={values}" for key, values in sweeper.items() if key != "seed"]
    parsed = OverridesParser.create().parse_overrides(swept)
    each = [
        [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]
        for override in parsed
    ]
    return [list(job) for job in itertools.product(*each)]


COMMANDS = [
    (name, line)
    for name in NAMES
    for line in re.findall(r"^#   python train\.py (.*)$", text_of(name), re.MULTILINE)
]


def test_there_is_one_for_each_idea_and_each_published_number() -> None:
    assert set(NAMES) == IDEAS | PUBLISHED | CURVES


@pytest.mark.parametrize(("name", "line"), COMMANDS)
def test_every_command_in_a_comment_composes(name: str, line: str) -> None:
    words = shlex.split(line)
    assert words[0] == f"experiment={name}"
    composed(*words)


@pytest.mark.parametrize("name", NAMES)
def test_every_file_has_its_command_and_what_was_measured(name: str) -> None:
    first = text_of(name).splitlines()[0]
    assert first == "# @package _global_"
    assert (name, f"experiment={name}") in COMMANDS
    assert "# Measured " in text_of(name)


@pytest.mark.parametrize("name", NAMES)
def test_every_job_of_a_file_composes(name: str) -> None:
    settings = {str(plain(f"experiment={name}", *job)) for job in jobs(name)}
    assert len(settings) == len(jobs(name))
    assert (len(settings) > 1) == (name in IDEAS | CURVES)


@pytest.mark.parametrize("name", sorted(IDEAS | CURVES))
def test_every_idea_runs_by_itself_into_a_folder_of_its_own(name: str) -> None:
    node = yaml.safe_load(text_of(name))["hydra"]
    assert node["mode"] == "MULTIRUN"
    folders = [yaml.safe_load(text_of(other))["hydra"]["sweep"]["dir"] for other in IDEAS | CURVES]
    folders += ["${paths.output}/sweeps/" + path.stem for path in CONF.parent.glob("sweeps/*")]
    assert folders.count(node["sweep"]["dir"]) == 1


# The published settings.


class TheirMLP(nn.Module):
    """MLPBase of greydanus/mnist1d: the second layer is added to the first."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(40, 100), nn.Linear(100, 100)
        self.third = nn.Linear(100, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.first(x.flatten(1)).relu()
        return self.third(h + self.second(h).relu())


def their_cnn() -> nn.Module:
    """ConvBase of greydanus/mnist1d."""
    convs = [nn.Conv1d(i, 25, k, stride=2, padding=1) for i, k in ((1, 5), (25, 3), (25, 3))]
    layers = [layer for conv in convs for layer in (conv, nn.ReLU())]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(125, 10))


class TheirGRU(nn.Module):
    """GRUBase of greydanus/mnist1d: the states of all steps, both ways, feed a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(1, 6, batch_first=True, bidirectional=True)
        self.linear = nn.Linear(40 * 2 * 6, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(self.gru(x.view(-1, 40, 1))[0].flatten(1))


THEIRS = {
    "mnist1d_linear": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(40, 10)), 410),
    "mnist1d_mlp": (TheirMLP, 15210),
    "mnist1d_cnn": (their_cnn, 5210),
    "mnist1d_gru": (TheirGRU, 5134),
}


@pytest.mark.parametrize("name", THEIRS)
def test_the_networks_of_mnist1d_compute_what_their_authors_do(name: str) -> None:
    make, count = THEIRS[name]
    ours, theirs = network(f"experiment={name}"), make()
    assert num_parameters(ours) == num_parameters(theirs) == count
    # Both hold their layers in the order of the computation.
    weights = zip(theirs.state_dict(), ours.state_dict().values(), strict=True)
    theirs.load_state_dict(dict(weights))
    x = torch.randn(7, 1, 40)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize("name", THEIRS)
def test_the_training_of_mnist1d_is_the_published_one(name: str) -> None:
    config = plain(f"experiment={name}")
    optim, data, trainer = config["optim"], config["data"], config["trainer"]
    assert (optim["name"], optim["lr"], optim["weight_decay"]) == ("adam", 0.01, 0)
    assert (data["batch_size"], data["val_fraction"], data["normalize"]) == (100, 0, "none")
    assert (trainer["max_steps"], trainer["max_epochs"]) == (6000, -1)
    assert (config["init"]["name"], config["scheduler"]["name"]) == ("default", "constant")


@pytest.mark.parametrize("width", [16, 300])
def test_the_network_of_double_descent_computes_what_its_authors_do(width: int) -> None:
    layers = [nn.Flatten(), nn.Linear(40, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
    ours = network("experiment=double_descent", f"model.hidden=[{width},{width}]")
    theirs = nn.Sequential(*layers, nn.Linear(width, 10))
    weights = zip(theirs.state_dict(), ours.state_dict().values(), strict=True)
    theirs.load_state_dict(dict(weights))
    x = torch.randn(7, 1, 40)
    torch.testing.assert_close(ours(x), theirs(x))


def test_the_training_of_double_descent_is_the_published_one() -> None:
    config = plain("experiment=double_descent")
    optim, data = config["optim"], config["data"]
    assert optim["_target_"] == "torch.optim.SGD"
    assert (optim["lr"], optim["momentum"], optim["weight_decay"]) == (0.01, 0.9, 0)
    assert (data["batch_size"], data["val_fraction"], data["normalize"]) == (100, 0, "none")
    assert (data["num_samples"], data["train_split"], data["label_noise"]) == (16000, 0.25, 0.15)
    assert (data["num_train"], config["trainer"]["max_epochs"]) == ("all", 500)
    widths = [job[0].partition("=")[2] for job in jobs("double_descent")]
    assert widths == [f"[{h},{h}]" for h in (16, 36, 47, 61, 104, 300)]


DEEPOBS = "experiment=deepobs_fmnist_2c2d"


def test_the_deepobs_network_has_the_published_layers() -> None:
    net = network(DEEPOBS)
    shapes = [tuple(p.shape) for p in net.parameters() if p.dim() > 1]
    assert shapes == [(32, 1, 5, 5), (64, 32, 5, 5), (1024, 7 * 7 * 64), (10, 1024)]
    by_hand = (25 + 1) * 32 + (25 * 32 + 1) * 64 + (7 * 7 * 64 + 1) * 1024 + (1024 + 1) * 10
    assert num_parameters(net) == by_hand == 3_274_634
    sizes = []
    for conv in net.convs:
        conv.register_forward_hook(lambda _module, _inputs, out: sizes.append(tuple(out.shape)))
    assert net(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    assert sizes == [(2, 32, 14, 14), (2, 64, 7, 7)]


def test_the_deepobs_network_starts_as_published() -> None:
    # The variance of N(0, 1) cut off at c = 2 is 1 - 2 c phi(c) / (Phi(c) - Phi(-c)).
    density = math.exp(-2) / math.sqrt(2 * math.pi)
    expected = 0.05 * math.sqrt(1 - 4 * density / math.erf(math.sqrt(2)))
    assert expected == pytest.approx(0.8796 * 0.05, rel=1e-4)
    for parameter in network(DEEPOBS).parameters():
        if parameter.dim() == 1:
            assert torch.all(parameter == 0.05)
            continue
        assert parameter.abs().max() <= 0.1
        # Five standard errors; that of a standard deviation is below sd / sqrt(2 n).
        error = 5 / math.sqrt(2 * parameter.numel())
        assert parameter.std().item() == pytest.approx(expected, rel=error)
        assert abs(parameter.mean().item()) < 5 * expected / math.sqrt(parameter.numel())


def write_images(num_images: int) -> torch.Tensor:
    """Write a stand-in for Fashion-MNIST in its IDX format, and return its images.

    The class is the place of a bright bar, in noise.
    """
    folder = Path("data/FashionMNIST/raw")
    folder.mkdir(parents=True)
    labels = np.arange(num_images, dtype=np.uint8) % 10
    images = np.random.default_rng(0).integers(0, 60, (num_images, 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label + 4] = 255
    for part in ("train", "t10k"):
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            (folder / f"{part}-{kind}-ubyte").write_bytes(header + array.tobytes())
    return torch.from_numpy(images).unsqueeze(1)


def test_deepobs_trains_by_plain_sgd_on_pixels_over_255(train_run: Train) -> None:
    images = write_images(128)  # one batch: a step of the whole set, whatever its order
    run = train_run(DEEPOBS, "trainer.max_epochs=1")
    assert run.record["steps"] == 1
    net = network(DEEPOBS)
    F.cross_entropy(net(images / 255), torch.arange(128) % 10).backward()
    trained = run.module().network.state_dict()
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(
            trained[name], parameter.detach() - 0.1585 * parameter.grad, rtol=1e-4, atol=1e-6
        )


@pytest.mark.slow
def test_deepobs_learns_from_the_first_epochs_on(train_run: Train) -> None:
    write_images(300)
    run = train_run(DEEPOBS, "trainer.max_epochs=3")
    assert run.config["data"]["batch_size"] == 128
    assert run.record["steps"] == 9  # 128 + 128 + 44, the short batch too
    assert run.record["best_epoch"] == 3  # no validation: the last weights
    losses = [row["train/loss"] for row in run.history]
    assert losses[-1] < losses[0]


# The ideas; conf/experiment has the numbers of their full length, test_training.py nonlinearity.


def accuracy(run: Run) -> float:
    assert run.record["status"] == "completed"
    return run.record["metrics"]["test/accuracy"]


def test_sigmoid_stays_at_chance_in_depth_and_relu_does_not(train_run: Train) -> None:
    deep = ["experiment=sigmoid_in_depth", "model.hidden=[64,64,64,64,64]", "trainer.max_epochs=10"]
    assert accuracy(train_run(*deep, "activation=sigmoid")) < 0.2
    assert accuracy(train_run(*deep, "activation=relu")) > 0.9


def test_a_sigmoid_takes_the_gradient_away_layer_by_layer() -> None:
    norms = {}
    for activation in ("sigmoid", "relu"):
        config = plain("experiment=sigmoid_in_depth", f"activation={activation}",
                       "model.hidden=[64,64,64,64,64]")  # fmt: skip
        net = build_module(config, DataSpec((1, 8, 8), 10, "classification", TEN)).network
        x = torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        F.cross_entropy(net(x), torch.arange(64) % 10).backward()
        norms[activation] = [layer.affine.weight.grad.norm().item() for layer in net.layers]
    ratios = {name: first[0] / first[-1] for name, first in norms.items()}
    # The derivative of a sigmoid is at most 1/4: four of them lie between the two layers.
    assert ratios["sigmoid"] < 0.25**2
    assert ratios["relu"] > 0.25


def test_an_epoch_of_full_batches_is_one_step(train_run: Train) -> None:
    small = ["experiment=full_batch", "data=digits", "model=mlp", "trainer.max_epochs=4"]
    sgd, gd = (train_run(*small, f"optim={optim}") for optim in ("sgd", "gd"))
    assert sgd.record["epochs"] == gd.record["epochs"] == 4
    assert (sgd.record["steps"], gd.record["steps"]) == (4 * 21, 4)
    assert accuracy(sgd) > accuracy(gd) + 0.2


def test_the_optimizers_are_the_lectures_and_differ(train_run: Train) -> None:
    names = [job[0].removeprefix("optim=") for job in jobs("optimizers")]
    assert names == ["sgd", "momentum", "adagrad", "rmsprop", "adam"]
    short = ["experiment=optimizers", "trainer.max_epochs=10"]
    sgd, adam = (accuracy(train_run(*short, f"optim={name}")) for name in ("sgd", "adam"))
    assert adam > sgd + 0.05


MLP = "experiment/cnn_vs_mlp@_global_=mlp"
CNN = "experiment/cnn_vs_mlp@_global_=cnn"


def test_cnn_and_mlp_have_equally_many_parameters() -> None:
    mlp, cnn = (num_parameters(network("experiment=cnn_vs_mlp", arm)) for arm in (MLP, CNN))
    assert (mlp, cnn) == (5212, 5210)
    assert mlp == pytest.approx(cnn, rel=0.02)
    same = [plain("experiment=cnn_vs_mlp", arm) for arm in (MLP, CNN)]
    assert [key for key in same[0] if same[0][key] != same[1][key]] == ["model"]


def test_a_cnn_beats_an_mlp_of_its_size(train_run: Train) -> None:
    short = ["experiment=cnn_vs_mlp", "trainer.max_epochs=6"]
    assert accuracy(train_run(*short, CNN)) > accuracy(train_run(*short, MLP)) + 0.1


@pytest.mark.slow
def test_a_cnn_bears_shifted_images_better_than_an_mlp(train_run: Train) -> None:
    short = ["experiment=shifted_images", "trainer.max_epochs=5", "data.test_shift=1"]
    mlp, cnn = (train_run(*short, f"model={model}") for model in ("mlp", "cnn"))
    for run in (mlp, cnn):
        assert run.record["metrics"]["val/accuracy"] > 0.9  # in the middle
        assert accuracy(run) < 0.7  # shifted
    assert accuracy(cnn) > accuracy(mlp) + 0.03
    assert cnn.record["num_parameters"] < mlp.record["num_parameters"] / 3
