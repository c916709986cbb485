"""The sliding window, against loops in numpy; and filters of a trained run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from figure_drawings import drawing_of
from overlap import LAST_ROW, assert_legible, smallest_letters, texts

from experiments.errors.messages import UserError
from experiments.figures.convolution import convolution
from experiments.figures.page.themes import LIGHT

SIZES = [
    {},
    {"channels": 1, "num_filters": 1},
    {"size": 6, "stride": 1, "padding": 0, "kernel_size": 2},
    {"size": 7, "stride": 3, "padding": 2, "kernel_size": 4, "num_filters": 3, "channels": 2},
    {"size": 1, "padding": 0, "kernel_size": 1, "stride": 1},
]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("seed", [0, 3])
def test_outputs_are_sums_over_windows(sizes: dict[str, int], seed: int) -> None:
    numbers = {
        key: np.asarray(value) for key, value in convolution(**sizes, seed=seed).numbers.items()
    }
    x, w, b = numbers["inputs"], numbers["weight"], numbers["bias"]
    stride, padding, kernel = int(numbers["stride"]), int(numbers["padding"]), w.shape[-1]
    num = (x.shape[-1] - kernel + 2 * padding) // stride + 1
    assert numbers["outputs"].shape == (len(w), num, num)
    for k, i, j in np.ndindex(len(w), num, num):
        total = float(b[k])
        for c, m, n in np.ndindex(len(x), kernel, kernel):
            row, column = i * stride + m - padding, j * stride + n - padding
            if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
                total += w[k, c, m, n] * x[c, row, column]
        assert numbers["outputs"][k, i, j] == total


def test_the_default_is_the_demo_of_cs231n_in_its_sizes() -> None:
    numbers = convolution().numbers
    shapes = {key: tuple(numbers[key].shape) for key in ("padded", "weight", "bias", "outputs")}
    assert shapes == {
        "padded": (3, 7, 7),
        "weight": (2, 3, 3, 3),
        "bias": (2,),
        "outputs": (2, 3, 3),
    }
    assert set(numbers["inputs"].flatten().tolist()) <= {0, 1, 2}
    assert set(numbers["weight"].flatten().tolist()) <= {-1, 0, 1}


def worked_out(line: str) -> tuple[float, float]:
    """Return both sides of a written sum."""
    text = line.partition("   ")[0].replace("−", "-").replace("·", "*")
    left, right = text.split(": ")[-1].split(" = ")[-2:]
    return float(eval(left, {})), float(right)


def test_each_frame_writes_out_a_sum_that_holds_and_shows_its_output() -> None:
    drawing = convolution(seed=1, channels=2)
    frames = drawing.animations["sliding_window"].frames
    assert len(frames) == 2 * 3 * 3
    outputs = drawing.numbers["outputs"].flatten().tolist()
    for frame, output in zip(frames[::8], outputs[::8], strict=True):
        shown = [text.get_text() for text in texts(frame(LIGHT))]
        sums = [worked_out(line) for line in shown if line.startswith("channel")]
        assert len(sums) == 2
        assert all(left == right for left, right in sums)
        [total] = [line for line in shown if line.startswith("o") and "=" in line]
        assert worked_out(total) == (output, output)
        terms = re.findall(r"-?\d+", total.split(" = ")[1].replace("−", "-"))
        assert [float(term) for term in terms[:2]] == [right for _, right in sums]


def test_outputs_that_come_later_are_not_shown_yet() -> None:
    drawing = convolution(channels=1, num_filters=1)
    frames = drawing.animations["sliding_window"].frames
    counts = [len(texts(frames[number](LIGHT))) for number in (0, 1, 5, 8)]
    assert np.diff(counts).tolist() == [1, 4, 3]
    assert len(texts(drawing.pictures["convolution"](LIGHT))) == counts[-1]


def test_a_stride_with_a_remainder_says_what_is_left_out() -> None:
    drawing = convolution(size=6, stride=3, padding=0, kernel_size=2)
    assert drawing.numbers["num_uncovered"] == 1
    assert "no window covers the last row and column of the padded input" in drawing.said[1]
    assert len(convolution().said) == 1


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"channels": 1, "num_filters": 1, "size": 6, "stride": 3, "kernel_size": 2, "padding": 0},
        {"size": 5, "channels": 1, "num_filters": 4, "kernel_size": 5, "stride": 1},
    ],
    ids=str,
)
def test_labels_do_not_overlap(sizes: dict[str, int]) -> None:
    drawing = convolution(**sizes)
    assert_legible(drawing)
    assert smallest_letters(drawing) >= (LAST_ROW if not sizes else 0)


BAD = [
    ({"kernel_size": 4, "size": 3, "padding": 0}, "kernel_size=4: the window is larger than the input of 3 with padding=0 on both sides, 3. Try kernel_size=3."),
    ({"size": 50}, "size=50: allowed is 1 to 12. Try size=12."),
    ({"stride": 0}, "stride=0: allowed is 1 to 12. Try stride=1."),
    ({"padding": -1}, "padding=-1: allowed is 0 to 3. Try padding=0."),
    ({"num_filters": 9}, "num_filters=9: allowed is 1 to 4."),
    ({"seed": -1}, "seed=-1: allowed is 0 to"),
    ({"image": 3}, "image=3 has no effect with run=null"),
    ({"run": "somewhere", "stride": 1}, "stride=1 has no effect with run=FOLDER"),
    ({"run": "nowhere"}, "nowhere is not a run folder: there is no such folder."),
]  # fmt: skip


@pytest.mark.parametrize(("sizes", "said"), BAD, ids=str)
def test_one_message_for_what_does_not_fit(sizes: dict, said: str) -> None:
    with pytest.raises(UserError) as caught:
        convolution(**sizes)
    assert said in str(caught.value)


def test_a_word_for_a_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="size=large: allowed is a whole number"):
        drawing_of(tmp_path, "figure=convolution", "size=large")


def test_filters_and_feature_maps_of_a_run(train_run: Callable) -> None:
    run = train_run("model.channels=[3]", "model.stride=2", "trainer.max_epochs=1", "optim.lr=0.01")
    drawing = convolution(run=str(run.folder), image=4)
    numbers = {
        key: np.asarray(drawing.numbers[key]) for key in ("image", "filters", "feature_maps")
    }
    module = run.module()
    affine = module.network.convs[0].affine
    np.testing.assert_array_equal(numbers["filters"], affine.weight.detach())
    x = np.pad(numbers["image"][0], 1)
    for k, i, j in np.ndindex(3, 4, 4):
        window = x[2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
        total = (window * numbers["filters"][k, 0]).sum() + float(affine.bias.detach()[k])
        assert numbers["feature_maps"][k, i, j] == pytest.approx(max(0, total), abs=1e-5)
    assert_legible(drawing)
    with pytest.raises(UserError, match=r"image=9999: allowed is 0 to 358 \(the test points"):
        convolution(run=str(run.folder), image=9999)
    for checkpoint in run.folder.glob("checkpoints/*"):
        checkpoint.unlink()
    with pytest.raises(UserError, match="there is no checkpoint best.ckpt"):
        convolution(run=str(run.folder))


def test_a_run_without_filters_is_refused(train_run: Callable) -> None:
    run = train_run("model=linear", "trainer.max_epochs=1")
    with pytest.raises(UserError, match="model=linear on data=digits has no filters"):
        convolution(run=str(run.folder))
