"""Where a run's folder is, and what Hydra leaves in it."""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from experiments.config.arguments import at_home, whole, with_paths
from experiments.config.overrides import key_of, slug
from experiments.errors.error_table import TABLE
from experiments.record.claim import LOCK, is_held
from experiments.record.folder import (
    CHECKPOINTS,
    CONFIG,
    DATA,
    LOG,
    RECORD,
    claim_folder,
    config_text,
    write_config,
)
from experiments.record.plain_yaml import to_yaml

BEFORE_RECORD = (CONFIG, CHECKPOINTS, LOG, LOCK, DATA, ".hydra")
"""What there may be in a run's folder before it has a record."""


@dataclass(frozen=True)
class Launch:
    """How Hydra started this run.

    Attributes:
        sweep_dir: the sweep's folder in a multirun, else None.
        run_dir: `hydra.run.dir` where the user gave one, else None.
        swept: those of the overrides that differ between the jobs of the sweep, which name the
            folder; None where that is not known.
        retry_failed: a run that has failed before is tried again.
        is_quiet: no panels; the launcher tells of the job.
        has_sweep: Hydra's config lists values of a sweep, though this is a single run.
        is_repeated: a job of a sweep is repeated by itself (--experimental-rerun).
        code: of somebody else's that a job was planned with; None where nobody has.
        write_data: writes the arrays that the run was given in Python into a file; None where it
            was given none.
        in_folder: the process stands in the run's folder while it trains (hydra.job.chdir).
        announce: has Hydra know the config of this job; None where it knows, as a process of one
            job does.
    """

    overrides: list[str]
    sweep_dir: Path | None = None
    run_dir: Path | None = None
    swept: list[str] | None = None
    retry_failed: bool = False
    is_quiet: bool = False
    has_sweep: bool = False
    is_repeated: bool = False
    in_folder: bool = False
    code: dict[str, str] | None = None
    write_data: Callable[[Path], None] | None = None
    announce: Callable[[], object] | None = None

    @classmethod
    def from_hydra(cls) -> Launch:
        """Return the launch that Hydra is carrying out; an empty one outside of Hydra."""
        if not HydraConfig.initialized():
            return cls([])
        hydra = HydraConfig.get()
        overrides, chdir = list(hydra.overrides.task), bool(hydra.job.chdir)

        def path_of(typed: str) -> Path:
            return Path(hydra.runtime.cwd if chdir else "", at_home(typed))

        if hydra.mode == RunMode.MULTIRUN:
            keys = hydra.sweeper.get("swept")
            swept = None if keys is None else [o for o in overrides if key_of(o) in keys]
            return cls(overrides, sweep_dir=path_of(hydra.sweep.dir), swept=swept, in_folder=chdir)
        run_dir = None if hydra.run.dir == "." else path_of(hydra.run.dir)
        if hydra.sweeper.get("swept") is not None:
            return cls(overrides, run_dir=run_dir, is_repeated=True, in_folder=chdir)
        has_sweep = any(hydra.sweeper.get(key) for key in ("params", "cases", "when"))
        return cls(overrides, run_dir=run_dir, has_sweep=has_sweep, in_folder=chdir)

    def tell_begin(self) -> None:
        """Say at once that a run begins: importing torch takes seconds, ten on a busy machine."""
        is_other_rank = os.environ.get("LOCAL_RANK", "0") != "0"
        if self.sweep_dir is None and "torch" not in sys.modules and not is_other_rank:
            print(TABLE["run_begins"], flush=True)

    def settled(self, config: dict[str, Any]) -> dict[str, Any]:
        """Return a config with whole paths where the process will leave the folder it stands in."""
        return with_paths(config, whole) if self.in_folder else config

    def standing_in(self, folder: Path) -> contextlib.AbstractContextManager[None]:
        """Stand in the run's folder for the length of a block, where that is asked for."""
        return contextlib.chdir(folder) if self.in_folder else contextlib.nullcontext()

    def keep_data(self, folder: Path, config: dict[str, Any]) -> None:
        """Have the arrays that the run was given lie in its folder, and its config say so."""
        if self.write_data is not None:
            if not (folder / DATA).exists():
                self.write_data(folder / DATA)
            config["data"]["path"] = str(folder / DATA)

    @property
    def is_mirrored(self) -> bool:
        """Whether the run is one of a sweep whose sweeper has it mirrored to W&B."""
        return self.swept is not None

    @property
    def sweep_name(self) -> str | None:
        return self.sweep_dir.name if self.sweep_dir else None

    def folder(self, output: str, identity: str) -> Path:
        """Return where the run's folder belongs."""
        short = identity[:8]
        if self.sweep_dir is not None:
            swept = self.overrides if self.swept is None else self.swept
            return self.sweep_dir / f"{slug(swept)}-{short}"
        if self.run_dir is not None:
            return self.run_dir
        moment = datetime.now()
        return Path(output) / "runs" / f"{moment:%Y-%m-%d}" / f"{moment:%H-%M-%S}-{short}"


def open_folder(launch: Launch, config: dict[str, Any], identity: str) -> Path:
    """Claim the run's folder and write the config and Hydra's own files into it."""
    wanted = launch.folder(config["paths"]["output"], identity)
    if launch.sweep_dir is not None and wanted.is_dir() and not (wanted / RECORD).exists():
        # Whoever made it was killed before it wrote a record: the identity is claimed by us now.
        shutil.rmtree(wanted)
    if launch.run_dir is not None and is_left_behind(wanted, config):
        folder = wanted
    else:
        folder = claim_folder(wanted, or_empty=launch.run_dir is not None)
    launch.keep_data(folder, config)
    write_config(folder, config)
    (folder / CHECKPOINTS).mkdir(exist_ok=True)
    save_hydra(folder, config, launch)
    return folder


def is_left_behind(folder: Path, config: dict[str, Any]) -> bool:
    """Return whether a folder that the user has named was made for this very run by a process that
    was killed before it wrote a record.
    """
    if not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir()}
    files = {name for name in names if not (name.startswith(".") and name.endswith(".part"))}
    if not names or not files <= {*BEFORE_RECORD}:
        return False
    if CONFIG not in files:
        is_same = files <= {LOCK}
    else:
        is_same = (folder / CONFIG).read_bytes() == config_text(config).encode()
    return is_same and not is_held(folder)


def save_hydra(folder: Path, config: dict[str, Any], launch: Launch) -> None:
    """Write `.hydra/`, which --experimental-rerun reads, as Hydra would have done."""
    if launch.announce is not None:
        launch.announce()
    if not HydraConfig.initialized():
        return
    # Whoever asks Hydra for the output folder shall hear of the one that was claimed.
    hydra_config: DictConfig = HydraConfig.instance().cfg  # type: ignore[assignment]
    runtime = hydra_config.hydra.runtime
    with read_write(runtime), open_dict(runtime):
        runtime.output_dir = str(folder.resolve())
    own = folder / ".hydra"
    own.mkdir(exist_ok=True)
    shutil.copyfile(folder / CONFIG, own / "config.yaml")
    texts = {
        "hydra.yaml": to_yaml(OmegaConf.to_container(hydra_config, enum_to_str=True)),
        "overrides.yaml": to_yaml(list(hydra_config.hydra.overrides.task)),
    }
    for name, text in texts.items():
        (own / name).write_text(text, encoding="utf-8")
    whole = OmegaConf.create(config)
    with open_dict(whole):
        whole.hydra = hydra_config.hydra
    with read_write(whole.hydra):
        whole.hydra.mode = RunMode.RUN  # repeated by itself, a job is no part of its sweep
    (own / "config.pickle").write_bytes(pickle.dumps(whole, protocol=4))
