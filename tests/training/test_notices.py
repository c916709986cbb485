"""What is said of values that fail only in use, of names that choose nothing, and of no effect."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from running import plain

from experiments.errors.messages import UserError
from experiments.training.run_parts import build_run

ENDLESS = ["trainer.max_epochs=-1", "trainer.max_time=00:00:00:03"]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            ["optim=lbfgs", "optim.line_search_fn=foo"],
            "LBFGS refuses these values: only 'strong_wolf",
        ),
        (
            ["optim.betas=0.9"],
            "optim.betas=0.9: allowed is a list of 2. Try optim.betas=.0.9,0.999..$",
        ),
        (["optim.betas=[0.9]"], "optim.betas=.0.9.: allowed is a list of 2. Try"),
        (["optim=adafactor", "optim.eps=3"], "optim.eps=3: allowed is a list"),
        (["optim.no_decay=bais"], "Did you mean optim.no_decay=bias"),
        (["optim=pytorch_optimizer", "optim.name=alig"], "AliG cannot be stepped here"),
        (["scheduler=plateau", "scheduler.factor=0"], "factor=0: give a number between 0 and 1"),
        (["scheduler=exponential", "scheduler.gamma=nan"], "gamma=nan: give a number above 0"),
        (
            ["scheduler=multistep", "scheduler.milestones=5"],
            "scheduler.milestones=5: allowed is a l",
        ),
        (["scheduler=onecycle", "scheduler.div_factor=0"], "factors above 0"),
        (
            ["scheduler=warmup_cosine", "scheduler.warmup=2", *ENDLESS],
            "warmup=2: give a number from",
        ),
        (["loss=focal", "loss.gamma=nan"], "gamma=nan: give a number of at least 0"),
        (["init=siren", "init.omega_0=0"], "omega_0=0: give that of activation=sine"),
        (["init=truncated_normal", "init.std=0"], "std=0: give a number above 0"),
        (["init=kaiming", "init.gain=abc"], "init.gain=abc: allowed is auto or a number above 0"),
        (["init=kaiming", "init.gain=null"], "init.gain=null: allowed is auto or a number above 0"),
        (["init=kaiming", "init.gain=inf"], "init.gain=inf: allowed is auto or a number above 0"),
        (["activation=gelu", "activation.approximate=foo"], "activation: torch.nn.GELU refuses"),
        (["activation=rrelu", "activation.lower=2"], "activation: torch.nn.RReLU refuses"),
        (["activation=celu", "activation.alpha=0"], "activation: torch.nn.CELU refuses"),
        (
            ["activation=softplus", "activation.beta=0"],
            "between -1 and 1 it is not a finite number",
        ),
        (
            ["+data.augment.foo=1"],
            "data.augment.foo: there is no such key. data.augment has: random",
        ),
    ],
)
def test_values_that_fail_in_use_are_told_before_it(overrides: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        build_run(plain("model=mlp", *overrides))


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (
            "optim.name=lion",
            "optim.name=lion: a name does not choose. Type optim=lion, or optim=pytor",
        ),
        (
            "data.name=mnist",
            "data.name=mnist: a name does not choose. Type data=mnist, or data=torchv",
        ),
        ("loss.name=mse", "loss.name=mse: a name does not choose. Type loss=mse."),
    ],
)
def test_a_name_alone_chooses_nothing(override: str, said: str, command: Callable) -> None:
    answer = command("logger=none", override)
    assert answer.code == 2
    assert said in answer.err


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["optim=sgd", "optim.no_decay=[bias]"], "optim.no_decay=[bias] has no effect"),
        (["optim=pytorch_optimizer", "optim.name=soap", "optim.no_decay=[bias]"], ""),
        (
            ["init=truncated_normal", "init.gain=5", "init.std=0.1"],
            "init.gain=5 has no effect with ini",
        ),
        (
            ["optim=sgd", "scheduler=onecycle", "scheduler.cycle_momentum=true"],
            "scheduler.cycle_momentum=true has no effect with optim=sgd",
        ),
        (["optim=rprop", "scheduler=cosine"], "scheduler=cosine has no effect with optim=rprop"),
        (
            ["optim=schedulefree_adamw", "model=mlp", "model.norm=batch"],
            "its running statistics are those of the weights that optim=schedulefree_adamw trains",
        ),
    ],
)
def test_what_has_no_effect_is_told(overrides: list[str], said: str, command: Callable) -> None:
    answer = command("logger=none", "trainer.max_epochs=1", "model=mlp", *overrides)
    assert answer.code == 0, answer.err
    told = answer.out + answer.err
    assert said in told if said else "no effect" not in told
