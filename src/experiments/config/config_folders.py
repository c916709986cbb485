"""Where configs lie: in conf/ and sweeps/ of this package, and in those of a user's own folder.

Own groups join ours wherever words are looked up: in what Hydra composes (hydra_plugins/own_folder
and sweeps_source), in --help, in completion, and in what is said of a word that there is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
CONF = "conf"
SWEEPS = "sweeps"
CONFIG_DIR = ("--config-dir", "-cd")
"""The option of Hydra that names a folder of configs, in full and short."""


def shipped(name: str) -> Path:
    """Return a folder that comes with the package: conf, sweeps or example.

    In a checkout it stands beside src/, in what was installed inside of the package (setup.py).
    """
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parents[1] / name


def own_folder(name: str) -> Path | None:
    """Return conf/ or sweeps/ of the folder that one stands in; None where it has none.

    A conf/ with a config.yaml is that of another program, as that of a checkout is.
    """
    here = Path.cwd()
    if (here / CONF / "config.yaml").exists():
        return None
    files = (here / name).glob("*/*.yaml" if name == CONF else "*.yaml")
    return here / name if any(files) else None


def config_dir(arguments: Iterable[str]) -> Path | None:
    """Return the folder that is typed after --config-dir; None without it.

    >>> config_dir(["-cd", "mine", "seed=1"]), config_dir(["--config-dir=x"]), config_dir(["-m"])
    (PosixPath('mine'), PosixPath('x'), None)
    """
    for argument, following in pairwise([*arguments, ""]):
        flag, sign, value = argument.partition("=")
        if flag in CONFIG_DIR:
            return Path(value if sign else following)
    return None


def own_confs(arguments: Iterable[str] = ()) -> list[Path]:
    """Return the folders of a user's own groups: that of --config-dir, and conf/ here."""
    typed, here = config_dir(arguments), own_folder(CONF)
    folders = [typed] if typed is not None and typed.is_dir() else []
    if here is not None and not any(folder.samefile(here) for folder in folders):
        folders.append(here)
    return folders


def own_files(confs: Sequence[Path], sweeps: Path | None) -> Iterator[tuple[str, Path]]:
    """Yield the group and the file of each of a user's own choices."""
    for conf in confs:
        for file in sorted(conf.glob("*/*.yaml")):
            yield file.parent.name, file
    for file in sorted(sweeps.glob("*.yaml")) if sweeps else ():
        yield SWEEPS, file


def group_files(conf: Path, arguments: Iterable[str] = ()) -> dict[str, list[Path]]:
    """Return the files of each group, ours and the user's own, ordered by their names.

    Args:
        conf: our folder of configs.
        arguments: what was typed, of which --config-dir counts.
    """
    groups: dict[str, list[Path]] = {
        folder.name: list(folder.glob("*.yaml"))
        for folder in sorted(conf.iterdir())
        if folder.is_dir()
    }
    groups[SWEEPS] = list((conf.parent / SWEEPS).glob("*.yaml"))
    for group, file in own_files(own_confs(arguments), own_folder(SWEEPS)):
        groups.setdefault(group, []).append(file)
    return {group: sorted(files, key=lambda file: file.stem) for group, files in groups.items()}
