"""What the fuzz puts in: random overrides, mutated data files, mutated run folders.

Each is a function of a `random.Random` alone, so that a seed names every case.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

WORDS = [
    "",
    "null",
    "true",
    "-1",
    "0",
    "1",
    "1.5",
    "1e-3",
    "1e400",
    "nan",
    "inf",
    "abc",
    "[]",
    "{}",
]
WORDS += [
    "[1,2]",
    "[relu]",
    "{a:1}",
    "${seed}",
    "${nowhere}",
    "'a b'",
    "\\",
    "=",
    "99999999999999999999",
]
WORDS += ["é", "🙂", "a/../../b", "<script>", "auto", "none", "full", "all", "2", "3", "0.5", "64"]
VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    1,
    1.5,
    2**70,
    "abc",
    "",
    "\x1b[2J",
    "\u202eabc",
    "<b>x</b>",
]
VALUES += [
    [],
    {},
    [1, "a"],
    {"a": 1},
    "../../x",
    "x" * 10_000,
    "\ud800",
    "9" * 400,
    "${oc.env:HOME}",
]
VALUES += [float("nan"), float("inf"), {"_target_": "os.system", "command": "touch canary"}]
CELLS = [
    "",
    "abc",
    "nan",
    "1e400",
    "-",
    "1,5",
    '"',
    "NA",
    "🙂",
    "\x00",
    "=1+1",
    "9" * 400,
    "0x10",
    " 3",
]


def random_overrides(
    draw: random.Random,
    choices: Mapping[str, list[str]],
    keys: list[str],
    chosen: float = 0.4,
) -> list[str]:
    """Return one to five overrides: choices of groups, and values of keys, valid and not.

    Args:
        chosen: the share of those that choose from a group.
    """
    words = []
    for _ in range(draw.randint(1, 5)):
        if draw.random() < chosen:
            group = draw.choice(sorted(choices))
            words.append(f"{group}={draw.choice(choices[group] if draw.random() < 0.9 else WORDS)}")
            continue
        key = draw.choice(keys)
        if draw.random() < 0.05:
            key = mutated_text(draw, key)
        sign = draw.choice(["", "", "", "", "", "", "+", "++", "~"])
        word = draw.choice(WORDS) if draw.random() < 0.7 else str(draw.randint(-3, 99))
        words.append(f"{sign}{key}" if sign == "~" else f"{sign}{key}={word}")
    return words


def mutated_text(draw: random.Random, text: str) -> str:
    """Return a text with a few characters put in, taken out or changed."""
    letters = list(text)
    for _ in range(draw.randint(1, 3)):
        place = draw.randrange(len(letters) + 1)
        letters[place : place + draw.randint(0, 1)] = draw.choice(["", "a", ".", "é", "[", ":"])
    return "".join(letters)


def mutated_bytes(draw: random.Random, content: bytes) -> bytes:
    """Return bytes of which some are changed, cut off, repeated or put in."""
    data = bytearray(content)
    kind = draw.randrange(5)
    if kind == 0:
        return bytes(data[: draw.randrange(len(data) + 1)])
    for _ in range(draw.randint(1, 8)):
        place = draw.randrange(len(data) + 1)
        if kind == 1:
            data[place : place + 1] = bytes([draw.randrange(256)])
        elif kind == 2:
            del data[place : place + draw.randint(1, 30)]
        elif kind == 3:
            data[place:place] = draw.randbytes(draw.randint(1, 30))
        else:
            data[place:place] = data[: draw.randint(1, 60)]
    return bytes(data)


def mutated_table(draw: random.Random, path: Path) -> None:
    """Write a table in which cells, signs or bytes are others than in a plain one."""
    rows = [[f"{draw.gauss(0, 1):.3f}" for _ in range(3)] + [draw.choice("ab")] for _ in range(40)]
    head = [] if draw.random() < 0.3 else [["x", "y", "z", "label"]]
    for _ in range(draw.choice([0, 0, 1, 1, 2, 6])):
        row = draw.choice(rows)
        kind = draw.randrange(4)
        if kind == 0 and row:
            row[draw.randrange(len(row))] = draw.choice(CELLS)
        elif kind == 1:
            row.append(draw.choice(CELLS))
        elif kind == 2 and row:
            del row[draw.randrange(len(row))]
        else:
            row[:] = [draw.choice(CELLS)] * len(row)
    sign = draw.choice([",", ",", ",", ";", "\t", " ", "|"])
    text = draw.choice(["\n", "\n", "\r\n", "\r"]).join(sign.join(row) for row in head + rows)
    encoded = text.encode(draw.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32"]))
    path.write_bytes(mutated_bytes(draw, encoded) if draw.random() < 0.4 else encoded)


def mutated_arrays(draw: random.Random, path: Path) -> None:
    """Write an .npz with arrays of odd types, shapes and values, or with other bytes."""
    numbers = np.random.default_rng(draw.randrange(2**32))
    size = draw.choice([0, 1, 2, 30, 40, 50, 60])
    shape = draw.choice(
        [(size, 3), (size,), (size, 4, 4), (size, 4, 4, 3), (size, 0), (size, 1, 1, 1, 2)]
    )
    kinds = ["f4", "f8", "u1", "i8", "c8", "?", "U3", "M8[D]", "f2", "V4", "S2", "u8", "i1"]
    x = (numbers.normal(size=shape) * draw.choice([1, 1, 1e38, 1e-300])).astype(
        draw.choice(kinds[:4])
    )
    y = numbers.integers(0, draw.choice([1, 2, 3, 300]), draw.choice([size, size, size, size + 1]))
    if draw.random() < 0.15:
        with np.errstate(all="ignore"):
            y = y.astype(draw.choice([k for k in kinds if k != "V4"]))
    if draw.random() < 0.3 and x.size and x.dtype.kind == "f":
        x.flat[draw.randrange(x.size)] = draw.choice([np.nan, np.inf, -np.inf, 3e38])
    arrays: dict[str, Any] = {"x": x, "y": y}
    if draw.random() < 0.2:
        arrays[draw.choice(["x_test", "y_test", "class_names", "a/b", "x_val"])] = draw.choice(
            [x, y]
        )
    if draw.random() < 0.1:
        del arrays[draw.choice(["x", "y"])]
    content = io.BytesIO()
    if draw.random() < 0.05:
        np.save(content, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    else:
        np.savez(content, **arrays)
    data = content.getvalue()
    path.write_bytes(mutated_bytes(draw, data) if draw.random() < 0.4 else data)


def mutated_images(draw: random.Random, folder: Path) -> None:
    """Write class folders of small images, some of them broken, of other sizes, or no images."""
    for label in ("cat", "dog")[: draw.choice([1, 2, 2, 2, 2])]:
        (folder / label).mkdir(parents=True)
        for number in range(draw.choice([0, 4, 6])):
            size = (8, 8) if draw.random() < 0.9 else (draw.randint(1, 20), draw.randint(1, 20))
            mode = draw.choice(["RGB", "RGB", "RGB", "L", "1", "P", "RGBA", "I;16", "CMYK"])
            kind = draw.choice(["png", "jpeg", "bmp", "gif"]) if mode == "RGB" else "png"
            kind = "jpeg" if mode == "CMYK" else kind
            content = io.BytesIO()
            Image.new(mode, size, draw.randrange(2) if mode != "RGB" else (9, number, 3)).save(
                content, kind
            )
            data = content.getvalue()
            data = mutated_bytes(draw, data) if draw.random() < 0.2 else data
            (folder / label / f"{number}.{kind}").write_bytes(data)
    if draw.random() < 0.1:
        os.symlink(folder, folder / "loop")


def changed_node(draw: random.Random, node: Any) -> Any:
    """Return nested plain values of which one is another, is gone, or is new."""
    if isinstance(node, dict) and node and draw.random() < 0.9:
        key = draw.choice(sorted(node))
        if draw.random() < 0.15:
            return {k: v for k, v in node.items() if k != key}
        return {**node, key: changed_node(draw, node[key])}
    if isinstance(node, list) and node and draw.random() < 0.6:
        place = draw.randrange(len(node))
        return [*node[:place], changed_node(draw, node[place]), *node[place + 1 :]]
    return draw.choice(VALUES)


def in_json(draw: random.Random, path: Path) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps(changed_node(draw, content)))


def in_yaml(draw: random.Random, path: Path) -> None:
    content = changed_node(draw, yaml.safe_load(path.read_text()))
    try:
        path.write_text(yaml.safe_dump(content, allow_unicode=False))
    except (yaml.YAMLError, UnicodeError):
        path.write_text("a: !!python/object/apply:os.system [touch canary]\n")


def in_cells(draw: random.Random, path: Path) -> None:
    lines = [line.split(",") for line in path.read_text().splitlines()]
    row = draw.choice(lines)
    row[draw.randrange(len(row))] = draw.choice(CELLS)
    path.write_text("\n".join(map(",".join, lines)) + "\n", errors="replace")


def in_bytes(draw: random.Random, path: Path) -> None:
    path.write_bytes(mutated_bytes(draw, path.read_bytes()))


def in_arrays(draw: random.Random, path: Path) -> None:
    with np.load(path) as loaded:
        arrays = dict(loaded)
    name = draw.choice(sorted(arrays))
    odd = [np.zeros(0), arrays[name][:-1], arrays[name].astype("f8") * np.nan, np.array(3)]
    odd += [arrays[name].astype("U8"), arrays[name][..., None], -np.ones(len(arrays[name]), int)]
    arrays[draw.choice([name, name, "more"])] = draw.choice(odd)
    (np.savez_compressed if draw.random() < 0.2 else np.savez)(path, **arrays)


def to_other_kind(draw: random.Random, path: Path) -> None:
    """Put a pipe, a folder, a link or nothing in the place of a file."""
    path.unlink()
    kind = draw.randrange(5)
    if kind == 0:
        os.mkfifo(path)
    elif kind == 1:
        path.mkdir()
    elif kind == 2:
        path.symlink_to("/etc/hostname")
    elif kind == 3:
        path.symlink_to("/dev/zero")


CHANGES: dict[str, list[Callable[[random.Random, Path], None]]] = {
    "record.json": [in_json, in_json, in_json, in_bytes, to_other_kind],
    "config.yaml": [in_yaml, in_yaml, in_yaml, in_bytes, to_other_kind],
    "history.csv": [in_cells, in_cells, in_bytes, to_other_kind],
    "predictions.npz": [in_arrays, in_arrays, in_bytes, to_other_kind],
    "checkpoints/best.ckpt": [in_bytes, to_other_kind],
    ".hydra/config.yaml": [in_yaml, in_bytes, to_other_kind],
    "../sweep.yaml": [in_yaml, in_yaml, in_bytes, to_other_kind],
}


def mutated_sweep(draw: random.Random, base: Path, target: Path) -> Path:
    """Copy a sweep with one to three files of one of its runs changed, and return that run."""
    shutil.copytree(base, target, symlinks=True)
    runs = sorted(path.parent for path in target.glob("*/record.json"))
    run = draw.choice(runs)
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        name = draw.choice(list(CHANGES))
        path = Path(os.path.normpath(run / name))
        if path.is_file() and not path.is_symlink():
            # What was broken before cannot be read to be changed.
            with contextlib.suppress(ValueError, yaml.YAMLError, OSError, zipfile.BadZipFile):
                draw.choice(CHANGES[name])(draw, path)
    return run
