"""The three commands as functions, for scripts, notebooks and a Python prompt.

`train(...)` trains as `python train.py ...` does, `draw(...)` shows a picture of `python figures.py
...`, and `compare(...)` gives the verdict of `python compare.py ...`; each takes the words that one
types after the command, and values by keywords. Mistakes are raised as UserError, whose text is the
message of the command; the process is left as it was found.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.config.hydra_apart import hydra_apart

if TYPE_CHECKING:  # torch, Lightning, scipy and matplotlib take seconds: imported by who is called
    from experiments.comparison.readable_verdict import Verdict
    from experiments.config.keywords import Keywords
    from experiments.data.given_arrays import GivenArrays
    from experiments.figures.page.composing import Composition
    from experiments.figures.page.shown_picture import Picture
    from experiments.training.load import Run

QUIET = ["logger=none", "progress=none"]
"""Overrides that cannot change a result: a notebook wants neither W&B nor a line per epoch."""
FOLDER = "outputs/interactive"
OF_PATHS = ("hydra.searchpath",)
"""Keys of Hydra's own that mean something outside of its commands."""


def train(*overrides: str, folder: str | Path | None = FOLDER, **settings: Any) -> Run:
    """Train one network in this process, or find it trained, and return its run.

    Neither W&B nor lines of epochs are wanted here by default: logger="wandb", progress="lines".

    Args:
        overrides: as after `python train.py`: "model=mlp", "optim.lr=0.1".
        folder: that the run folder lies in; what says the same finds the same run there, and goes
            on with one that was broken off. None: a new folder below outputs/runs, as the command
            makes it, and a new run each time.
        settings: values of keys and choices of groups, which count after the words: seed=3,
            optim=dict(name="adam", lr=1e-3), trainer=dict(max_epochs=3).
            A class or function is a choice as a file of one's own is: model=Net, loss=MyLoss,
            model=dict(_target_=Net, width=8), callbacks=[Watch]. One that no process can import
            (a lambda, a class of a notebook) counts by its text, and only this process can load
            its network, which is said before it is trained.
            data=(x, y) are arrays of numpy or tensors of torch, inputs (N, F), (N, C, L) or
            (N, C, H, W) and targets (N,) or (N, K), read as those of a file (`data=npz`);
            data=(x, y, dict(val_fraction=0.2)) and data=dict(x=x, y=y, x_test=..., y_test=...) say
            more. They are kept as data.npz in the run folder.

    Raises:
        UserError: a mistake in what was given.
        RunFailed: the run failed; its record says failed, its log has the traceback.

    >>> import tempfile
    >>> x = [[i % 7, i % 3] for i in range(60)]
    >>> y = [int(a > 3) for a, _ in x]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = train(
    ...         "trainer.max_epochs=2",
    ...         data=(x, y, dict(batch_size=16)),
    ...         model=dict(name="mlp", hidden=[8]),
    ...         optim=dict(name="adam", lr=0.01),
    ...         folder=folder,
    ...     )
    ...     run.record["status"], len(run.history), sorted(run.metrics)[:2]
    ('completed', 2, ['test/accuracy', 'test/loss'])
    """
    from experiments.config.keywords import Keywords, chosen_among
    from experiments.training.load import load_run

    keywords = Keywords()
    arrays = add_arrays(keywords, settings)
    keywords.add({key: v for key, v in settings.items() if key != "data" or arrays is None})
    words = words_of(overrides, keywords.overrides)
    with (
        hydra_apart(),
        in_our_words("config", words),
        chosen_among(keywords.choices),
        arrays.found() if arrays else contextlib.nullcontext(),
    ):
        return load_run(train_words(words, folder, arrays.write if arrays else None))


def add_arrays(keywords: Keywords, settings: Mapping[str, Any]) -> GivenArrays | None:
    """Return the arrays that were given as `data`, and add their choice; None for none."""
    from experiments.config.keywords import Choice, free_name
    from experiments.data.given_arrays import GivenArrays, parts_of

    parts = parts_of(settings.get("data"))
    if parts is None:
        return None
    arrays, keys = GivenArrays.of(parts[0]), parts[1]
    name = free_name("data", str(keys.pop("name", "arrays")))
    node = {"defaults": ["npz", "_self_"], "name": name, "path": arrays.path}
    keywords.add_choice(Choice("data", name, node))
    keywords.add({"data": keys})
    return arrays


def train_words(words: Sequence[str], folder: str | Path | None, write: Any) -> Path:
    """Train what words say, or find it trained, and return its folder.

    Args:
        words: as typed, keywords among them.
        write: writes the arrays that were given into a file; None for none.
    """
    from experiments.config.launch import Launch
    from experiments.config.overrides import key_of, of_other_keys
    from experiments.errors.messages import RunFailed, user_error
    from experiments.training.check import check_launch
    from experiments.training.process_state import as_it_was
    from experiments.training.run import train as train_config

    typed_groups = {key_of(word).partition(".")[0] for word in words}
    composition = composition_of("config", [*of_other_keys(QUIET, typed_groups), *words])
    config = composition.training()
    sweeper = composition.composer.master.hydra.sweeper
    if any(sweeper.get(key) for key in ("params", "cases", "when")):
        of_sweeps = [word for word in words if key_of(word) in ("sweeps", "experiment")]
        raise user_error("python_option", given=" ".join(of_sweeps))
    check_launch(config, Launch(list(words)), is_resumed=config["resume"] not in (None, "auto"))
    launch = Launch(
        list(words),
        sweep_dir=None if folder is None else Path(folder),
        retry_failed=True,
        is_quiet=True,
        write_data=write,
    )
    with as_it_was(forgets_modules=True):
        known = train_config(config, launch)
    if known is None:
        raise RunFailed("Another process is training this run. Try again later.")
    if not known.is_finished:
        raise RunFailed(f"{known.folder}: {known.record['error']}")
    return known.folder


def words_of(overrides: Sequence[str], of_keywords: Sequence[str]) -> list[str]:
    """Return all words as the command reads them, or raise UserError for what it would refuse.

    Of a key that is given twice the keyword counts.
    """
    from experiments.config.arguments import readable
    from experiments.config.config_folders import CONF, shipped
    from experiments.config.door import refuse_values_of_groups
    from experiments.config.overrides import key_of, of_other_keys
    from experiments.config.own_choices import refuse_hidden_files
    from experiments.config.secrets import refuse_secrets
    from experiments.errors.messages import user_error

    for word in overrides:
        if not isinstance(word, str):
            kind = type(word).__name__
            raise user_error("python_word", given=kind, example='"model=mlp"', key="KEY")
        own = key_of(word).startswith("hydra") and key_of(word) not in OF_PATHS
        if word.startswith("-") or own:
            raise user_error("python_option", given=word)
    words = [*of_other_keys(overrides, map(key_of, of_keywords)), *of_keywords]
    refuse_secrets(words)
    words = readable(words)
    refuse_values_of_groups(words, shipped(CONF), "config")
    refuse_hidden_files(words, shipped(CONF))
    return words


def config_of(*overrides: str) -> dict[str, Any]:
    """Return the configuration that `python train.py` would have of these words, in plain values.

    >>> config_of("optim=momentum")["optim"]["momentum"]
    0.9

    Raises:
        UserError: a mistake in the words.
    """
    from experiments.config.overrides import key_of, of_other_keys

    quiet = of_other_keys(QUIET, map(key_of, overrides))
    with hydra_apart(), in_our_words("config", overrides):
        return composition_of("config", [*quiet, *overrides]).training()


def draw(*overrides: str, name: str | None = None, theme: str = "light", dpi: int = 110) -> Picture:
    """Return a picture of a figure; what it trains is trained below outputs/figures/runs.

    Args:
        overrides: as after `python figures.py`: "figure=activation_curves".
        name: of the picture, where the figure has several.
        theme: light or dark.
        dpi: dots per inch.

    Raises:
        UserError: a mistake in the words.
    """
    from experiments.config.config_folders import CONF, shipped
    from experiments.figures.graph.command_line import as_hydra_reads
    from experiments.figures.page.making import compute_drawing
    from experiments.figures.page.shown_picture import Picture

    with hydra_apart(), in_our_words("figures", overrides):
        composition = composition_of("figures", as_hydra_reads(overrides, shipped(CONF)))
        drawing = compute_drawing(composition.config(), composition)
    return Picture(drawing, name or next(iter(drawing.pictures)), theme, dpi)


def compare(*runs: str | Path | Run, **options: Any) -> Verdict:
    """Return the verdict on runs, which reads as compare.py prints it; no report is written.

    `verdict["headline"]` and all else of a report's verdict.json by its keys, `verdict.sentences`,
    and `verdict.write(FOLDER)` for the report itself.

    Args:
        runs: folders of runs or of sweeps, runs as `train` gives them, or words as after
            `python compare.py`: "runs=outputs/interactive", "factor=activation".
        options: the keys of compare.py: factor="activation", control="relu", delta=0.01.

    Raises:
        UserError: there is nothing to compare, or a mistake in the words.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for model in ("linear", "mlp"):
    ...         for seed in (0, 1):
    ...             _ = train(
    ...                 "data=xor",
    ...                 model=model,
    ...                 data=dict(num_samples=60, batch_size=16),
    ...                 seed=seed,
    ...                 trainer=dict(max_epochs=1),
    ...                 folder=folder,
    ...             )
    ...     verdict = compare(folder, factor="model", control="linear", delta=0.05)
    >>> [setting["n"] for setting in verdict["tasks"][0]["settings"]]
    [2, 2]
    """
    from experiments.comparison.compare import (
        as_words,
        name_of,
        read_remote,
        request_of,
        which_runs,
    )
    from experiments.comparison.readable_verdict import Verdict
    from experiments.comparison.reading import read_runs
    from experiments.comparison.verdict import compared
    from experiments.config.keywords import Keywords

    keywords = Keywords()
    words, folders = words_and_folders(runs)
    keywords.add(options)
    words += keywords.overrides
    with hydra_apart(), in_our_words("compare", words):
        config = composition_of("compare", words).config()
    folders += [Path(folder) for folder in as_words(config["runs"])]
    source = config["source"]
    if (source is None) == (not folders):
        raise which_runs(Path(config["paths"]["output"]))
    reading = read_runs(folders) if source is None else read_remote(source)
    name, command = name_of(reading, folders), " ".join(words)
    return Verdict(*compared(reading, request_of(config), name=name, command=command))


def words_and_folders(runs: Sequence[str | Path | Run]) -> tuple[list[str], list[Path]]:
    """Return those of what is to be compared that are words, and the folders."""
    words, folders = [], []
    for run in runs:
        if isinstance(run, str) and "=" in run and not Path(run).is_dir():
            words.append(run)
        else:
            folders.append(Path(run if isinstance(run, str | Path) else run.folder))
    return words, folders


def composition_of(script: str, overrides: Sequence[str]) -> Composition:
    """Return the composition of a script's config with what is typed after the script."""
    from experiments.config.arguments import at_home, readable
    from experiments.config.composer import composer_at
    from experiments.config.config_folders import CONF, shipped
    from experiments.figures.page.composing import Composition

    composer = composer_at(shipped(CONF), script, readable(overrides))
    return Composition(composer, at_home(str(composer.master.paths.output)))


@contextlib.contextmanager
def in_our_words(script: str, typed: Sequence[str] = ()) -> Iterator[None]:
    """Raise UserError for a mistake that Hydra finds, as the command would tell it."""
    from experiments.config import mistakes
    from experiments.config.config_folders import CONF, shipped

    try:
        yield
    except Exception as error:
        mistake = mistakes.in_our_words(error, script, shipped(CONF), typed)
        if mistake is None or mistake is error:
            raise
        raise mistake from error
