"""What is kept of a run's test points, as a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from experiments.errors.messages import UserError
from experiments.record.predictions import Predictions, read_predictions, replace_predictions

FILE = "predictions.npz"
CLASSES = Predictions(
    np.array([1, 0, 2], np.uint8),
    classes=np.array([1, 1, 2], np.uint8),
    probabilities=np.eye(3, dtype=np.float16),
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    for kept in (CLASSES, Predictions(np.ones((2, 1)), values=np.zeros((2, 1), np.float32))):
        replace_predictions(tmp_path, kept)
        read = read_predictions(tmp_path)
        assert read is not None
        for name, array in vars(kept).items():
            own = getattr(read, name)
            assert (own is None) == (array is None)
            if array is not None:
                assert own.dtype == array.dtype
                np.testing.assert_array_equal(own, array)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_what_other_weights_have_told_does_not_stay(tmp_path: Path) -> None:
    assert read_predictions(tmp_path) is None
    replace_predictions(tmp_path, CLASSES)
    replace_predictions(tmp_path, None)
    assert read_predictions(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"\x80\x04.", None])
def test_a_broken_file_is_one_message(tmp_path: Path, content: bytes | None) -> None:
    if content is None:
        np.savez(tmp_path / FILE, something=np.zeros(3))
    else:
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(UserError, match=f"{FILE} cannot be read as predictions .* Delete it"):
        read_predictions(tmp_path)


def test_the_probability_of_the_class_alone_is_not_that_of_all() -> None:
    assert CLASSES.has_all_classes
    alone = Predictions(CLASSES.targets, CLASSES.classes, np.ones(3, np.float16))
    assert not alone.has_all_classes
