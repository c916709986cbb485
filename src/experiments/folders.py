"""Where a run's folder is, what Hydra leaves in it, and its log."""

from __future__ import annotations

import contextlib
import logging
import pickle
import re
import shutil
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from experiments.errors import user_error
from experiments.plain_yaml import to_yaml
from experiments.records import CONFIG, LOG, RECORD, claim_folder, write_atomic

log = logging.getLogger("experiments")

NOT_IN_NAMES = ("hydra", "logger", "progress", "paths", "sweeps", "resume")


@dataclass(frozen=True)
class Launch:
    """How Hydra started this run.

    Attributes:
        overrides: what was typed for it.
        sweep_dir: the sweep's folder in a multirun, else None.
        run_dir: `hydra.run.dir` where the user gave one, else None.
        swept: those of the overrides that differ between the jobs of the sweep, which name the
            folder; None where that is not known.
        retry_failed: a run that has failed before is tried again.
        is_quiet: no panels; the launcher tells of the job.
        has_sweep: Hydra's config lists values of a sweep, though this is a single run.
        is_repeated: a job of a sweep is repeated by itself (--experimental-rerun).
    """

    overrides: list[str]
    sweep_dir: Path | None = None
    run_dir: Path | None = None
    swept: list[str] | None = None
    retry_failed: bool = False
    is_quiet: bool = False
    has_sweep: bool = False
    is_repeated: bool = False

    @classmethod
    def from_hydra(cls) -> Launch:
        """Return the launch that Hydra is carrying out; an empty one outside of Hydra."""
        if not HydraConfig.initialized():
            return cls([])
        hydra = HydraConfig.get()
        overrides = list(hydra.overrides.task)
        if hydra.mode == RunMode.MULTIRUN:
            keys = hydra.sweeper.get("swept")
            swept = None if keys is None else [o for o in overrides if key_of(o) in keys]
            return cls(overrides, sweep_dir=Path(hydra.sweep.dir), swept=swept)
        run_dir = None if hydra.run.dir == "." else Path(hydra.run.dir)
        if hydra.sweeper.get("swept") is not None:
            return cls(overrides, run_dir=run_dir, is_repeated=True)
        has_sweep = any(hydra.sweeper.get(key) for key in ("params", "cases", "when"))
        return cls(overrides, run_dir=run_dir, has_sweep=has_sweep)

    @property
    def is_mirrored(self) -> bool:
        """Whether the run is one of a sweep whose sweeper has it mirrored to W&B."""
        return self.swept is not None

    @property
    def sweep_name(self) -> str | None:
        """The name of the sweep."""
        return self.sweep_dir.name if self.sweep_dir else None

    def place(self, output: str, identity: str) -> Path:
        """Return where the run's folder belongs."""
        short = identity[:8]
        if self.sweep_dir is not None:
            swept = self.overrides if self.swept is None else self.swept
            return self.sweep_dir / f"{slug(swept)}-{short}"
        if self.run_dir is not None:
            return self.run_dir
        moment = datetime.now()
        return Path(output) / "runs" / f"{moment:%Y-%m-%d}" / f"{moment:%H-%M-%S}-{short}"


def key_of(override: str) -> str:
    """Return the key of an override, without signs."""
    return override.lstrip("+~").partition("=")[0]


def slug(overrides: list[str], longest: int = 80) -> str:
    """Return overrides as part of a folder's name.

    What is too long is cut in its middle: the seed, which tells runs apart, comes last.

    >>> slug(["activation=relu", "optim.lr=0.1", "model.hidden=[64,64]"])
    'activation=relu,optim.lr=0.1,model.hidden=64-64'
    >>> slug(["activation=relu", "model.hidden=[64,64]", "seed=3"], longest=31)
    'activation=rel...n=64-64,seed=3'
    """
    kept = [o for o in overrides if not o.lstrip("+~").startswith(NOT_IN_NAMES)]
    words = [re.sub(r"[^\w.=+-]+", "-", re.sub(r"[\[\]'\"]", "", o)).strip("+~-") for o in kept]
    name = ",".join(words) or "default"
    if len(name) <= longest:
        return name
    half = (longest - 3) // 2
    return f"{name[:half]}...{name[-half:]}"


def open_folder(launch: Launch, config: dict[str, Any], identity: str) -> Path:
    """Claim the run's folder and write the config and Hydra's own files into it."""
    place = launch.place(config["paths"]["output"], identity)
    if launch.sweep_dir is not None and place.is_dir() and not (place / RECORD).exists():
        # Whoever made it was killed before it wrote a record: the identity is claimed by us now.
        shutil.rmtree(place)
    folder = claim_folder(place, or_empty=launch.run_dir is not None)
    text = to_yaml(config)
    write_atomic(folder / CONFIG, text)
    (folder / "checkpoints").mkdir()
    save_hydra(folder, config, text)
    return folder


def rewrite_config(folder: Path, config: dict[str, Any]) -> None:
    """Write the config of a resumed run, of which keys outside its identity may have changed.

    The other processes of the run read it there.
    """
    write_atomic(folder / CONFIG, to_yaml(config))


def read_config(folder: Path) -> dict[str, Any]:
    """Return the resolved config of a run, nested, in plain values.

    Raises:
        UserError: the file is no configuration.
    """
    try:
        config: Any = OmegaConf.to_container(OmegaConf.load(folder / CONFIG))
    except Exception as error:  # whatever YAML's and OmegaConf's readers raise
        reason = " ".join(str(error).split())
        raise user_error("corrupt_config", path=folder / CONFIG, reason=reason) from error
    return config


def save_hydra(folder: Path, config: dict[str, Any], text: str) -> None:
    """Write `.hydra/`, which --experimental-rerun reads, as Hydra would have done."""
    if not HydraConfig.initialized():
        return
    # Whoever asks Hydra for the output folder shall hear of the one that was claimed.
    hydra_config: DictConfig = HydraConfig.instance().cfg  # type: ignore[assignment]
    runtime = hydra_config.hydra.runtime
    with read_write(runtime), open_dict(runtime):
        runtime.output_dir = str(folder.resolve())
    own = folder / ".hydra"
    own.mkdir()
    (own / "config.yaml").write_text(text)
    (own / "hydra.yaml").write_text(to_yaml(OmegaConf.to_container(hydra_config, enum_to_str=True)))
    (own / "overrides.yaml").write_text(to_yaml(list(hydra_config.hydra.overrides.task)))
    whole = OmegaConf.create(config)
    with open_dict(whole):
        whole.hydra = hydra_config.hydra
    with read_write(whole.hydra):
        whole.hydra.mode = RunMode.RUN  # repeated by itself, a job is no part of its sweep
    (own / "config.pickle").write_bytes(pickle.dumps(whole, protocol=4))


class LogFile(logging.FileHandler):
    """A log file that keeps silent where it cannot be written: a full disk is told once."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (logging's name)
        pass


def is_for_the_user(record: logging.LogRecord) -> bool:
    """Return whether a log record is shown: our own, but no tracebacks, which train.log keeps."""
    return record.name.startswith("experiments") and not record.exc_info


def quiet_lightning() -> None:
    """Keep Lightning from telling at every start which devices it does not see, and advertising."""
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


@contextlib.contextmanager
def logging_to(folder: Path | None) -> Iterator[None]:
    """Send this package's log to the terminal and to train.log, and warnings to train.log."""
    root = logging.getLogger()
    shown = logging.StreamHandler(sys.stdout)
    shown.setFormatter(logging.Formatter("%(message)s"))
    shown.addFilter(is_for_the_user)
    handlers: list[logging.Handler] = [shown]
    if folder is not None:
        kept = LogFile(folder / LOG, encoding="utf-8")
        kept.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        handlers.append(kept)
    level = log.level
    log.setLevel(logging.INFO)
    for handler in handlers:
        root.addHandler(handler)
    shown_before = warnings.showwarning
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        warnings.showwarning = shown_before
        for handler in handlers:
            root.removeHandler(handler)
            if isinstance(handler, logging.FileHandler):
                handler.close()
        log.setLevel(level)
