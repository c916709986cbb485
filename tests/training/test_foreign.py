"""Models, losses and parts of anybody's: given what they ask for, and told of as ours are."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from running import QUIET, plain, run_folders

from experiments import load_run
from experiments.config.entries import asked_for
from experiments.config.schema import OF_BATCHES
from experiments.errors.messages import UserError
from experiments.training.run_parts import RunParts, build_run

SMALL = ("data=xor", "data.num_samples=60", "model=mlp", "model.hidden=[4]", *QUIET)

MODULE = '''
import torch
from torch import nn

class Bare(nn.Sequential):
    """Asks for nothing."""

    def __init__(self, width=4):
        super().__init__(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, 2))

class Asking(nn.Module):
    def __init__(self, *, activation, num_outputs, shape, depth: int = 1):
        super().__init__()
        self.token = nn.Parameter(torch.randn(shape[0]))
        self.head = nn.Linear(shape[0], num_outputs)
        self.phi = activation()

    def forward(self, x):
        return self.head(self.phi(x + self.token))

class OfAWord(nn.Module):
    """Means something else by activation, and by phi_out."""

    def __init__(self, shape, activation="relu", phi_out="none"):
        super().__init__()
        self.layer, self.phi = nn.Linear(shape[0], 2), getattr(torch, activation)

    def forward(self, x):
        return self.layer(self.phi(x))

class Unhashable(nn.Linear):
    def __init__(self, shape, num_outputs, options, sizes=()):
        super().__init__(shape[0], num_outputs)
        self.options = {**options, "sizes": sizes}

class Lazy(nn.Sequential):
    def __init__(self, num_outputs):
        super().__init__(nn.Flatten(), nn.LazyLinear(num_outputs))

def made(shape, num_outputs):
    return nn.Linear(shape[0], num_outputs)

class Broken(nn.Module):
    def __init__(self, shape, how):
        super().__init__()
        self.layer, self.how, self.kept = nn.Linear(shape[0], 2), how, None
        if how == "init":
            raise KeyError("width")
        if how == "leave":
            raise SystemExit(3)

    def forward(self, x):
        h = self.layer(x)
        if self.how == "forward":
            raise RuntimeError("no such thing")  # forward
        if self.how == "shape":
            return h[:, :1]
        if self.how == "tuple":
            return h, h
        if self.how == "squeeze":
            return h.squeeze()
        if self.how == "nan":
            return h / 0 - h / 0
        if self.how == "detach":
            return h.detach()
        if self.how == "leaf":
            self.layer.bias += 1  # leaf
        if self.how == "in place":
            e = h.exp()
            e.add_(1)  # in place
            return e
        if self.how == "kept":
            self.kept = h if self.kept is None else self.kept + h
            return self.kept.sum(0) + h
        if self.how == "softmax":
            return h.softmax(1)
        return h

class OnPlanets(nn.Module):
    pass

class Loss(nn.Module):
    takes = "probabilities"

    def forward(self, outputs, targets):
        return (1 - outputs[torch.arange(len(targets)), targets]).mean()

class Unreduced(nn.Module):
    def forward(self, outputs, targets):
        return nn.functional.cross_entropy(outputs, targets, reduction="none")

class Failing(nn.Module):
    def forward(self, outputs, targets):
        return outputs.no_such_method()  # loss

def points(num=3):
    return [num]

FIXED = 3
'''


@pytest.fixture
def mine(tmp_path: Path) -> Iterator[Path]:
    """A module of somebody's in the folder that one stands in."""
    file = tmp_path / "somebodys.py"
    file.write_text(MODULE)
    path = list(sys.path)
    yield file
    sys.path[:] = path
    sys.modules.pop("somebodys", None)


def line_of(word: str) -> int:
    return next(n for n, line in enumerate(MODULE.splitlines(), 1) if word in line)


def config_of(target: str, *overrides: str, group: str = "model", **keys: object) -> dict:
    config = plain(*SMALL, *overrides)
    shared = config["data"] if group == "data" else {}
    own = {key: value for key, value in shared.items() if key in OF_BATCHES}
    config[group] = {**own, "name": "mine", "_target_": f"somebodys.{target}", **keys}
    return config


def built(target: str, *overrides: str, **keys: object) -> RunParts:
    return build_run(config_of(target, *overrides, **keys))


def said_of(target: str, *overrides: str, group: str = "model", **keys: object) -> str:
    with pytest.raises(UserError) as caught:
        build_run(config_of(target, *overrides, group=group, **keys))
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("target", "keys"),
    [
        ("Bare", {"width": 3}),
        ("Asking", {"depth": 2}),
        ("OfAWord", {"activation": "tanh", "phi_out": "whatever"}),
        ("Unhashable", {"options": {"rates": [[0.1], {"deep": [2]}]}, "sizes": [[4], []]}),
        ("Lazy", {}),
        ("made", {}),
    ],
)
def test_a_model_is_given_what_its_signature_asks_for(mine: Path, target: str, keys: dict) -> None:
    network = built(target, **keys).module.network
    assert network(torch.zeros(5, 2)).shape == (5, 2)
    made = getattr(sys.modules["somebodys"], target)
    wanted = {"shape", "num_outputs", "activation"} & set(inspect.signature(made).parameters)
    assert set(asked_for(made, keys)) == wanted - set(keys)


def test_what_no_initialiser_draws_comes_from_the_seed_of_the_run(mine: Path) -> None:
    one, again, other = (built("Asking", f"seed={seed}").module.network for seed in (1, 1, 2))
    assert torch.equal(one.token, again.token)
    assert not torch.equal(one.token, other.token)


def test_a_model_of_somebodys_is_trained_recorded_and_loaded(mine: Path, command: Callable) -> None:
    (mine.parent / "conf" / "model").mkdir(parents=True)
    text = "name: net\n_target_: somebodys.Asking\nshape: [2]\n"
    (mine.parent / "conf" / "model" / "net.yaml").write_text(text)
    typed = ["--config-dir=conf", *SMALL[:2], *QUIET, "model=net", "trainer.max_epochs=2"]
    answer = command(*typed, "activation=tanh", "loss=nll")
    assert answer.code == 2
    assert "loss=nll takes log-probabilities: end the model with a log_softmax" in answer.err
    assert not Path("outputs").exists()
    answer = command(*typed, "activation=tanh")
    assert answer.code == 0, answer.err
    said = "model=net has no model.phi_out: loss=cross_entropy takes its outputs for logits."
    assert said in " ".join((answer.out + answer.err).split())
    [folder] = run_folders()
    run = load_run(folder)
    assert run.record["num_parameters"] == 2 + 2 * 2 + 2
    module = run.module()
    assert isinstance(module.network, sys.modules["somebodys"].Asking)
    assert isinstance(module.network.phi, torch.nn.Tanh)
    assert command(*QUIET, f"resume={folder}", "trainer.max_epochs=3").code == 0


BROKEN = {
    "init": "model: somebodys.Broken (FILE, line {Broken}) raises KeyError: 'width' (FILE, line",
    "leave": "raises SystemExit: 3 (FILE, line",
    "forward": "RuntimeError: no such thing in its forward pass (3 points of shape (2,), in "
    "training) (FILE, line {# forward})",
    "shape": "(FILE, line {class Broken}) gives the shape (3, 1) for 3 points of shape (2,), and "
    "(3, 2) is needed: of data=xor one number for each class of each point",
    "tuple": "gives tuple for 3 points",
    "squeeze": "gives the shape (2,) for 1 points of shape (2,), and (1, 2) is needed",
    "nan": "(FILE, line {class Broken}) gives nan at once, in training",
    "detach": "gives outputs without a gradient",
    "leaf": "a leaf Variable that requires grad is being used in an in-place operation in its "
    "forward pass (3 points of shape (2,), in training) (FILE, line {# leaf})",
    "in place": "in its backward pass (FILE, line",
    "kept": "Trying to backward through the graph a second time",
    "softmax": "gives probabilities as outputs. loss=cross_entropy takes logits",
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_is_wrong_in_a_model_is_told_with_its_line(mine: Path, how: str) -> None:
    words = BROKEN[how].replace("FILE", str(mine))
    for word in ("Broken", "class Broken", "# forward", "# leaf"):
        words = words.replace(f"{{{word}}}", str(line_of(word)))
    assert words in said_of("Broken", how=how)


def test_outputs_are_what_the_loss_takes_them_for(mine: Path) -> None:
    said = said_of("Bare", "loss=brier")
    assert "as outputs. loss=brier takes probabilities: end the model with a softmax" in said
    assert built("Broken", "loss=brier", how="softmax")


@pytest.mark.parametrize(
    ("group", "target", "keys", "words"),
    [
        ("model", "Nothing", {}, "has no Nothing"),
        ("model", "Bear", {}, "has no Bear. Did you mean Bare?"),
        ("model", "nets.Bare", {}, "somebodys.py) has no nets"),
        ("model", "FIXED", {}, "it is a int, and no class or function"),
        ("model", "Bare", {"widht": 3}, "Did you mean model.width=...?"),
        ("model", "Bare", {"width": "wide"}, "model.width=wide: allowed is a number"),
        ("model", "Broken", {}, "needs a value for how. Type model.how=... A model is given"),
        ("model", "points", {}, "gives list, and a torch.nn.Module is needed"),
        ("model", "OnPlanets", {}, "in its forward pass"),
        ("loss", "Unreduced", {}, "gives the shape (3,) for a batch. Return one number"),
        ("loss", "Failing", {}, "has no attribute 'no_such_method' for outputs of shape (3, 2)"),
        ("loss", "points", {}, "loss: somebodys.points"),
        ("activation", "points", {}, "activation: somebodys.points"),
        ("init", "points", {}, "is called with (tensor, place, generator, ...)"),
        ("data", "points", {}, "gives list, and a DataSet of experiments.data.sources is needed"),
    ],
)
def test_what_is_wrong_in_a_part_is_told(
    mine: Path, group: str, target: str, keys: dict, words: str
) -> None:
    said = said_of(target, group=group, **keys)
    assert words in said
    assert target.rpartition(".")[2] in said or "width" in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "import nothing_like_it",
            "importing another raises ModuleNotFoundError: No module named ",
        ),
        ("x = 1\nx = = 2", "importing another raises SyntaxError: invalid syntax (FILE, line 2)"),
        ("def f():\n    1 / 0\nf()", "raises ZeroDivisionError: division by zero (FILE, line 2)"),
        ("raise SystemExit", "importing another raises SystemExit (FILE, line 1)"),
    ],
)
def test_a_module_that_cannot_be_imported_is_told(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "another.py"
    file.write_text(text)
    config = plain(*SMALL)
    config["model"] = {"name": "mine", "_target_": "another.Net"}
    with pytest.raises(UserError) as caught:
        build_run(config)
    assert words.replace("FILE", str(file)) in str(caught.value)
    assert "another" not in sys.modules


def test_a_run_does_not_go_on_with_another_text(mine: Path, command: Callable) -> None:
    (mine.parent / "conf" / "model").mkdir(parents=True)
    (mine.parent / "conf" / "model" / "net.yaml").write_text(
        "name: net\n_target_: somebodys.Bare\n"
    )
    typed = ["--config-dir=conf", *SMALL[:2], *QUIET, "model=net", "trainer.max_epochs=1"]
    assert command(*typed).code == 0
    [folder] = run_folders()
    before = load_run(folder).record["code"]
    assert before is not None
    assert list(before) == ["somebodys"]
    write_anew(mine, MODULE.replace("width=4", "width=4,") + "# a remark\n")
    assert command(*QUIET, f"resume={folder}", "trainer.max_epochs=2").code == 0
    write_anew(mine, MODULE.replace("nn.ReLU()", "nn.Tanh()"))
    longer = *QUIET, f"resume={folder}", "trainer.max_epochs=3"
    answer = command(*longer)
    assert answer.code == 2
    change = f"somebodys ({before['somebodys']} then, "
    assert f"resume={folder}: the code has changed since: {change}" in answer.err
    assert "resume.changed_code=allow" in answer.err
    others = set(run_folders())
    assert len(others) == 2
    assert command(*longer, "resume.changed_code=allow").code == 0
    [allowed] = set(run_folders()) - others
    record = load_run(allowed).record
    assert record["earlier_code"] == [before]
    assert record["code"] != before


def write_anew(file: Path, text: str) -> None:
    """Write another text, and forget the module as another process would."""
    file.write_text(text)
    sys.modules.pop("somebodys", None)
    for compiled in (file.parent / "__pycache__").glob("*.pyc"):
        compiled.unlink()
