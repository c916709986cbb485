"""California housing, as scikit-learn downloads and keeps it."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from experiments.data.cache import cached
from experiments.data.downloads import not_loaded
from experiments.data.sources import DataSet, Points, data_set_of

FILE = "cal_housing_py3.pkz"


def california_housing(root: str) -> DataSet:
    """Median value of houses (in 100,000 dollars) from eight numbers; 20,640 districts of 1990.

    Pace & Barry 1997, "Sparse spatial autoregressions". A random fifth, 4,128 districts, is the
    test set. Values above 5 were cut to 5.00001 by the makers.

    Args:
        root: the folder that holds cal_housing_py3.pkz, as scikit-learn calls it, or will.

    Shapes: inputs (N, 8), targets (N, 1).
    """
    source = Path(root) / FILE
    return cached("california_housing", Path(root), [source], lambda: decode(root, source))


def decode(root: str, source: Path) -> DataSet:
    """Let scikit-learn read the table, and download it where it is missing."""
    from sklearn.datasets import fetch_california_housing

    is_there = source.is_file()
    try:
        with warnings.catch_warnings():
            # It warns before it tries again, and then fails; the message below says it once.
            warnings.simplefilter("ignore")
            bunch = fetch_california_housing(data_home=root, n_retries=1)
        inputs = torch.from_numpy(bunch.data).float()
        targets = torch.from_numpy(bunch.target).float().unsqueeze(1)
    except Exception as error:  # whatever joblib's reader and urllib raise
        raise not_loaded("california_housing", [source], is_there, error, None) from error
    return data_set_of([Points(inputs, targets)])
