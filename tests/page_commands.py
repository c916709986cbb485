"""What the pages tell people to type, in the order of a page, and what they show of the answer."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from running import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
TEXTS = dict(zip(NAMES, (page.read_text(encoding="utf-8") for page in PAGES), strict=True))
TUTORIAL = "notebooks/tutorial.ipynb"
DOOR = re.compile(r"python (train|figures|compare)\.py(?: ([^`\n]*))?$")
NUMBER = r"(?<![\w.])\d[\d,.]*(?<![,.])(?:e[-+]?\d+)?(?!\w)"

WORDS_ELSEWHERE = {
    "data=fashion_mnist": "downloads 30 MB where Debian's package is not installed",
    "data=torchvision": "downloads",
    "experiment=deepobs_fmnist_2c2d": "downloads, and 100 epochs are an hour and a half",
    "figure=why_cnn": "trains 26 networks, a minute: tests/figures/test_why_cnn.py trains fewer",
    "figure=gradient_noise": "trains 16 networks: tests/figures/test_gradient_noise.py trains fewer",
    "figure=decision_boundary": "trains 9: tests/figures/test_decision_boundary.py trains fewer",
    "hydra/launcher=ray": "starts or needs a cluster: tests/slow/test_ray.py has one",
    "hydra/launcher=slurm": "needs a queue: tests/slow/test_submitit.py has one",
    "runs=[outputs/sweeps/a,outputs/sweeps/b]": "names stand for sweeps of the reader's own",
    "resume=outputs/runs/...": "stands for any run: tests/training/test_resume.py",
    "from=outputs/runs/...": "stands for any run: tests/training/test_repeat.py",
}
"""A word of a command that this machine cannot do, or that stands for something; and why."""
VERDICTS = "tests/slow/test_lecture_verdicts.py types it, and holds what it ends in"
PUBLISHED = "6,000 steps; tests/slow/test_published.py trains such a run, `make published` all"
LONG = {
    **{
        f"train experiment={idea}": VERDICTS
        for idea in (
            "nonlinearity",
            "sigmoid_in_depth",
            "full_batch",
            "optimizers",
            "cnn_vs_mlp",
            "shifted_images",
        )
    },
    **{f"train experiment=mnist1d_{model}": PUBLISHED for model in ("linear", "mlp", "cnn", "gru")},
}
"""Commands that take minutes, and what types them instead."""
PLANNED = {
    "train sweeps=activations": "70 jobs",
    "train sweeps=activations model=mlp trainer.max_epochs=5": "70 jobs",
    "train sweeps=optimizers protocol=tuned model=mlp data=moons data.num_samples=500 "
    "'sweep.tuning.seeds=[1000]' trainer.max_epochs=5": "45 jobs",
    "train -m activation=relu,tanh,sigmoid model=mlp trainer.max_epochs=2 sweep.control=relu "
    "sweep.delta=0.02 sweep.until=settled": "at most 60 runs",
    "train sweeps=activations model=mlp sweep.until=settled sweep.max_seeds=20": "at most 140 runs",
    "train experiment=double_descent": "6 jobs",
    "train sweeps=depth": "50 jobs",
    "train sweeps=depth activation=sigmoid": "50 jobs",
    "train sweeps=losses": "70 jobs",
    "train sweeps=cross_validation": "15 jobs",
    "train sweeps=cross_validation sweep.seeds=3 'data.split_seed=${seed}'": "45 jobs",
    "train sweeps=batch_sizes": "60 jobs",
    "train sweeps=learning_rates optim=sgd": "90 jobs",
    "train sweeps=initialisers model=mlp 'model.hidden=[64,64,64,64,64]'": "60 jobs",
    "train sweeps=activations_x_optimizers model=mlp": "330 jobs",
    "train sweeps=optimizers protocol=tuned": "135 jobs",
    "train sweeps=optimizers protocol=tuned 'sweep.tuning.space=[lr,weight_decay]'": "270 jobs",
    "train sweeps=optimizers protocol=tuned "
    "'sweep.tuning.space={lr:[1e-3,1],weight_decay:[1e-5,1e-1]}' sweep.tuning.trials=24": "360 jobs",
    "train experiment=shifted_images model=cnn 'model.pool=[none,max]' model.pool_size=8 "
    "trainer.max_epochs=20 paths.output=outputs/pooled": "14 jobs",
    "train experiment=shifted_images model=mlp data.augment.random_crop=2 trainer.max_epochs=20 "
    "paths.output=outputs/cropped": "14 jobs",
    "train -m hydra/sweeper=optuna5 optim=sgd,adam 'model.hidden=[64],[64,64]' model=mlp "
    "sweep.seeds=3": "20 trials of 3 runs",
    "train -m hydra/sweeper=optuna5 'optim.lr=tag(log,interval(1e-4,1e-1))' "
    "hydra.sweeper.sampler=gp": "20 trials of 1 run",
    "train -m hydra/sweeper=optuna5 optim=sgd,adam hydra.sweeper.n_trials=50 "
    "hydra.sweeper.pruner=median": "50 trials of 1 run",
    "train -m hydra/sweeper=optuna5 optim=sgd,adam sweep.seeds=8 hydra.sweeper.pruner=wilcoxon": "20 "
    "trials of 8 runs",
}
"""Sweeps and searches of several minutes, and how many runs they are. They are typed with
`sweep.dry_run=true` behind, which does all but the training, and must say that number."""
REFUSED = {
    "train model.phi_out=softmax": "Try model.phi_out=identity",
    "train model.kernel_size=9 model.padding=valid": "model.kernel_size",
}
"""Commands of which a page says that they are refused (exit code 2), and what they are told."""
NOT_A_DOOR = {
    "make": "sets up an environment of its own; `make check` and `make test` are how these tests run",
    "pip": "installs",
    "wandb": "browses in a terminal, or needs an account",
    "ray": "starts a cluster: tests/slow/test_ray.py",
    "srun": "needs a queue: tests/slow/test_submitit.py",
    "cp": "names a search of the reader's own",
    "python docs/": "writes a page: tests/test_docs.py",
    "python benchmarks/": "measures for minutes",
    "python -m experiments.": "names a run or a sweep of the reader's own: tests/tracking, tests/training",
    "python ~/experiments/": "types what docs/own.md has: tests/slow/test_own.py",
    "experiments": "types what docs/own.md has: tests/slow/test_own.py",
    "python mine.py": "types what docs/own.md has: tests/slow/test_python.py",
    "python -m pytest": "types what docs/own.md has: tests/slow/test_own.py",
}
"""Lines that are typed and are none of the three commands, by how they begin; and why they are not
typed here."""


@dataclass
class Typed:
    """A command as it is typed, and the lines of its answer that the page shows."""

    script: str
    words: list[str]
    shown: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.script} {shlex.join(self.words)}".strip()

    @property
    def reason(self) -> str | None:
        """Why it is not typed by the tests of the pages, None where it is."""
        given = [reason for word, reason in WORDS_ELSEWHERE.items() if is_in(word, self.words)]
        return LONG.get(str(self)) or PLANNED.get(str(self)) or next(iter(given), None)


def is_in(word: str, words: list[str]) -> bool:
    return any(each == word or each.startswith(f"{word},") for each in words)


def typed_in(text: str) -> list[Typed]:
    """Return the commands of a text in its order: of blocks without a language, and of code in lines.

    >>> [str(each) for each in typed_in("`python train.py optim=gd` and python train.py seed=1")]
    ['train optim=gd']
    >>> typed_in("```\\n$ python train.py  # twice\\nepoch 1\\n```")[0].shown
    ['epoch 1']
    """
    found: list[Typed] = []
    for block in MarkdownIt("commonmark").enable("table").parse(text):
        if block.type == "fence" and not block.info:
            found += typed_in_block(block.content.splitlines())
        for inline in block.children or []:
            if inline.type == "code_inline":
                found += filter(None, [command_of(inline.content)])
    return found


def typed_in_block(lines: list[str]) -> list[Typed]:
    """Return the commands of a block; below `$ command` stands what it says."""
    found: list[Typed | None] = []
    for line in lines:
        is_typed = line.startswith("$ ")
        command = command_of(line.removeprefix("$ "))
        if is_typed or command:
            found.append(command)
        elif found and found[-1] and lines[0].startswith("$ "):
            found[-1].shown.append(line)
    return [command for command in found if command]


def command_of(line: str) -> Typed | None:
    """Return the command that a line is, None where it is none of the three."""
    match = DOOR.match(line)
    if not match:
        return None
    words = shlex.split(match[2] or "", comments=True)
    is_only_named = words == ["..."] or (not words and match[1] != "train")
    return None if is_only_named else Typed(match[1], words)


def other_lines(text: str) -> list[str]:
    """Return the lines of blocks that begin with the name of a program and are no such command."""
    blocks = MarkdownIt("commonmark").parse(text)
    lines = "".join(b.content for b in blocks if b.type == "fence" and not b.info).splitlines()
    lines = [line.removeprefix("$ ") for line in lines]
    return [line for line in lines if re.match(r"[a-z]+ [\w~./'-]", line) and is_program(line)]


def is_program(line: str) -> bool:
    first = line.split()[0]
    return first in {key.split()[0] for key in NOT_A_DOOR} and not command_of(line)


def tutorial_cells() -> list[str]:
    """Return the texts of the tutorial, without its code."""
    notebook = json.loads((ROOT / TUTORIAL).read_text(encoding="utf-8"))
    return ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "markdown"]


def words_of(line: str) -> str:
    """Return the words of a line that is said, without its numbers, times and frames.

    What a machine's speed and rounding decide is not compared; a run's identity is.

    >>> words_of("│ time  3.0 s, 1,234 samples/s │"), words_of("relu beats tanh by −1.5 points.")
    ('time # s, # samples/s', 'relu beats tanh by # points.')
    >>> words_of("folder  outputs/runs/2026-11-29/23-29-21-e5473474")
    'folder outputs/runs/DATE/TIME-e5473474'
    """
    line = re.sub(r"(?:\S*/)?python \S*/(\w+\.py)", r"python \1", line)  # typed in another folder
    line = re.sub(r"\d{4}-\d\d-\d\d/\d\d-\d\d-\d\d", "DATE/TIME", line)
    line = re.sub(NUMBER, "#", re.sub(r"[─│╭╮╰╯]", " ", line))
    line = re.sub(r"[-+−](?=#)", "", line)
    return " ".join(re.sub(r"# threads\b", "# thread", line).split())
