"""Points without targets, read as a run's own data were: image files, a table, or an array.

Shape letters: N points, F features, C channels, H height, W width.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from experiments.data import checks
from experiments.data.array_names import Named, meaning
from experiments.data.arrays import inputs_of
from experiments.data.cells import BadCell
from experiments.data.channels import KEYS, guessed, with_channels_second
from experiments.data.columns import Columns, without_missing
from experiments.data.csv_table import read_csv
from experiments.data.decoding import decoded, surveyed
from experiments.data.folders import walk
from experiments.data.layouts import EXTENSIONS, is_image
from experiments.data.sources import DataSpec
from experiments.data.tables import delimiter_of, header_word
from experiments.data.unpacked import check_members
from experiments.errors.likeness import nearest
from experiments.errors.messages import UserError, check_choice, user_error
from experiments.errors.wording import few, listed

ARRAYS = (".npz", ".npy")


@dataclass(frozen=True)
class NewPoints:
    """Points to be predicted, and what each is called.

    Attributes:
        inputs: (N, *shape), of the type that the run's own data had.
        names: of each point: its file, the line of its row from 1, or its index from 0.
        kind: what a name is, `file` or `row`.
    """

    inputs: Tensor
    names: list[str]
    kind: str


@dataclass(frozen=True)
class Reader:
    """Reads new points as those of a run.

    Args:
        run: what messages call it.
        data: the part `data` of its config.
        spec: what its data were.
        bits: the type in which its numbers were held; images are bytes.
    """

    run: str
    data: Mapping[str, Any]
    spec: DataSpec
    bits: torch.dtype

    def read(self, given: str, array: str | None = None) -> NewPoints:
        """Return the points of a folder of images, of an image, a table, or an array.

        Args:
            given: the path, from the folder the user stands in.
            array: which one of a file with several.

        Raises:
            UserError: no such path, or points that are not those of the run.
        """
        path = existing(given)
        if path.is_dir() or is_image(path.name):
            return self._images(path)
        if path.suffix.lower() in ARRAYS:
            return self._array(path, array)
        return self._table(path)

    def _images(self, top: Path) -> NewPoints:
        shape = self.spec.shape
        if len(shape) != 3 or shape[0] not in (1, 3):
            raise self._unfit(top, "images are given", "Give a table, or an .npz file")
        files = [top]
        if top.is_dir():
            files = [at / name for at, names in walk(top) for name in names if is_image(name)]
        if not files:
            raise user_error("predict_none", path=top, read=listed(EXTENSIONS))
        given_size = self.data.get("size")
        size = given_size if isinstance(given_size, int) else None  # torchvision's may be auto
        if size is None:
            for path, (width, height) in surveyed(files).sizes.items():
                if (height, width) != shape[1:]:
                    given = f"{width}x{height} pixels"
                    raise self._unfit(path, given, "Resize the images as those of training were")
        # A copy is no part of a test set here.
        inputs, _ = decoded(top, {"": files}, size, grey=shape[0] == 1, is_cut=False)
        names = [str(path.relative_to(top)) if top.is_dir() else path.name for path in files]
        return self._checked(top, inputs[""], names, "file")

    def _table(self, path: Path) -> NewPoints:
        names, data = list(self.spec.feature_names), self.data
        if not names:
            reason = "its data have none"
            if len(self.spec.shape) == 1 and data.get("target", "") != "":
                reason = "it was trained before they were kept"
            shape = ("N", *self.spec.shape)
            spelled = f"({', '.join(map(str, shape))})"
            raise user_error("predict_names", path=path, run=self.run, reason=reason, shape=spelled)
        delimiter = delimiter_of(data.get("delimiter", "auto"))
        header, encoding = header_word(data.get("header", "auto")), data.get("encoding", "auto")
        table = read_csv(path, delimiter, header, encoding)
        if missing := [name for name in names if name not in table.header]:
            values = {"missing": few(missing), "present": few(table.header, 20)}
            raise user_error("predict_columns", path=path, run=self.run, **values)
        if data.get("missing") == "drop":
            table, _ = without_missing(table, names, names[-1])
        checks.check_number(path, len(table.rows), 1)
        numbers = NewColumns([table], names, data.get("decimal", "auto")).matrix(names)
        lines = [str(line) for line in table.lines]
        return self._checked(path, torch.from_numpy(numbers), lines, "row")

    def _array(self, path: Path, wanted: str | None) -> NewPoints:
        name, x = array_of(path, wanted)
        typed = next((key for key in KEYS if self.data.get(key) is True), None)
        x = inputs_of(path, name, x, typed or self._layout(x))
        return self._checked(path, torch.from_numpy(x), list(map(str, range(len(x)))), "row")

    def _layout(self, x: NDArray[Any]) -> str:
        """Return where the channels of an array are, by the shape that the run takes."""
        fitting = [
            key
            for key in KEYS
            if (key != "images" or 3 <= x.ndim < 5)
            and x.ndim > 1
            and with_channels_second(x[:1], key).shape[1:] == self.spec.shape
        ]
        usual = guessed(x.shape[1:]) if x.ndim > 2 else "channels_first"
        return usual if usual in fitting else next(iter(fitting), "channels_first")

    def _checked(self, path: Path, inputs: Tensor, names: list[str], kind: str) -> NewPoints:
        """Return points of the run's shape and type, all finite in it."""
        if tuple(inputs.shape[1:]) != self.spec.shape:
            given = f"points of shape {tuple(inputs.shape[1:])}"
            raise self._unfit(path, given, "Give points as those that it was trained on")
        if inputs.is_floating_point():
            inputs = inputs.to(self.bits)
            is_finite = inputs.flatten(1).isfinite().all(1)
            if not is_finite.all():
                place = f"{kind} {names[int(is_finite.logical_not().nonzero()[0])]}"
                raise user_error("not_finite", path=path, place=place, given="a number there")
        return NewPoints(inputs.contiguous(), names, kind)

    def _unfit(self, path: Path, given: str, instead: str) -> UserError:
        allowed = f"points of shape {self.spec.shape}"
        values = {"given": given, "allowed": allowed, "instead": instead}
        return user_error("predict_shape", path=path, run=self.run, **values)


class NewColumns(Columns):
    """Columns of which none is a target, and none can be left out."""

    def told(self, name: str, bad: BadCell) -> UserError:
        """Return what is said of a cell that is no number."""
        table, location = self.locate(name, bad.row)
        instead = "Mend the cell, or leave that row out"
        return checks.wrong(table.path, location, bad.reason, instead)


def existing(given: str) -> Path:
    """Return a path that there is, or raise UserError with the one that is most like it."""
    path = Path(os.path.expanduser(given))
    if path.exists():
        return path
    beside = [p for kind in ("folder", "file") for p in checks.paths_beside(path, kind)]
    near = nearest(given, beside, least=0.75)
    raise user_error(
        "no_such_path",
        key="inputs",
        given=given,
        kind="file or folder",
        place=path.absolute(),
        hint=f" Did you mean inputs={near}?" if near else "",
    )


def array_of(path: Path, wanted: str | None) -> Named:
    """Return the array of a file that is to be predicted: the named one, or the only inputs."""
    try:
        # Opened here, since numpy leaves a broken file open.
        with path.open("rb") as content:
            if zipfile.is_zipfile(content):
                check_members(content)
            content.seek(0)
            loaded = np.load(content, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return Named(path.name, loaded)
            name = name_among(path, list(loaded.files), wanted)
            return Named(name, loaded[name])
    except UserError:
        raise
    except Exception as error:  # numpy and zipfile raise many kinds for what is no such file
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        instead = "Write one by numpy.savez(FILE, x=inputs), of numbers only"
        values = {"kind": "an array", "reason": reason, "instead": instead}
        raise user_error("unreadable_file", path=path, **values) from error


def name_among(path: Path, names: list[str], wanted: str | None) -> str:
    """Return the name of the array that is meant, or raise UserError where several may be."""
    if wanted is not None:
        check_choice("array", wanted, names)
        return wanted
    inputs = [name for name in names if meaning(name).startswith("x")] or names
    if len(inputs) != 1:
        several = f"{listed(inputs)} could each be meant" if inputs else "there is no array"
        raise user_error("predict_array", path=path, reason=several, present=listed(names))
    return inputs[0]
