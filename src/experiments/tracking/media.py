"""What W&B shows of a classifier beside curves: its confusion matrix and its worst mistakes.

A job of a sweep writes them to `media.npz` in its run folder, from where the mirror takes them.
Shape letters: N points, K classes, M mistakes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.record.folder import write_atomic
from experiments.record.strangers_files import check_archive

MEDIA = "media.npz"
NUM_MISTAKES = 32


@dataclass(frozen=True)
class Media:
    """Scores of a classifier, and the mistakes that it was surest of.

    Attributes:
        class_names: of the K classes.
        targets: (N,).
        scores: (N, K).
        worst_indices: (M,), the surest mistake first, M at most 32.
        worst_inputs: (M, *shape).
    """

    class_names: list[str]
    targets: NDArray[Any]
    scores: NDArray[Any]
    worst_indices: NDArray[Any]
    worst_inputs: NDArray[Any]


def media_of(
    class_names: Sequence[str],
    inputs: NDArray[Any],
    targets: NDArray[Any],
    scores: NDArray[Any],
) -> Media:
    """Return the media of a classifier's points.

    Shapes: inputs (N, *shape), targets (N,), scores (N, K).
    """
    predicted = scores.argmax(axis=1)
    wrong = (predicted != targets).nonzero()[0]
    sure = scores[wrong, predicted[wrong]]
    worst = wrong[(-sure).argsort(kind="stable")][:NUM_MISTAKES]
    return Media(list(class_names), targets, scores, worst, inputs[worst])


def write_media(folder: Path, media: Media) -> None:
    arrays = {**vars(media), "class_names": np.array(media.class_names, dtype=np.str_)}
    write_atomic(folder / MEDIA, lambda file: np.savez(file, **arrays), is_synced=False)


def read_media(folder: Path) -> Media | None:
    """Read media.npz, which only runs have that were asked for it."""
    path = folder / MEDIA
    if not path.is_file():
        return None
    check_archive(path)
    with np.load(path, allow_pickle=False) as arrays:
        content = dict(arrays)
    return Media(**{**content, "class_names": content["class_names"].tolist()})


def log_media(run: Any, media: Media) -> None:
    """Show the confusion matrix, and the mistakes that the network was surest of.

    They stand in the summary, from where W&B's panels read tables: in the history each would be
    curves of one point, of a table's number of columns and of rows.
    """
    import wandb  # write_media is for jobs, which do without

    predicted = media.scores.argmax(axis=1)
    matrix = wandb.plot.confusion_matrix(
        y_true=media.targets.tolist(), preds=predicted.tolist(), class_names=media.class_names
    )
    table = wandb.Table(columns=["input", "target", "predicted", "score", "index"])
    for index, x in zip(media.worst_indices.tolist(), media.worst_inputs, strict=True):
        table.add_data(
            shown(x),
            media.class_names[media.targets[index]],
            media.class_names[predicted[index]],
            float(media.scores[index, predicted[index]]),
            index,
        )
    matrix.set_key("confusion_matrix")
    # What `run.log` does with a chart: it has the workspace draw what lies under the table's key.
    run._config_callback(val=matrix.spec.config_value, key=matrix.spec.config_key)
    run.summary.update({matrix.spec.table_key: matrix.table, "worst_mistakes": table})


def shown(x: NDArray[Any]) -> Any:
    """Return an image for W&B, or the numbers as text where a point is none."""
    import wandb

    if x.ndim != 3 or x.shape[0] not in (1, 3):
        return ", ".join(f"{value:.3g}" for value in x.ravel()[:64])
    low, high = float(x.min()), float(x.max())
    pixels = (x.astype("float32") - low) / ((high - low) or 1.0) * 255
    return wandb.Image(pixels.astype("uint8").transpose(1, 2, 0).squeeze())
