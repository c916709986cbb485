"""Data that ship inside scikit-learn: no download, no account."""

from __future__ import annotations

import torch

from experiments.data.sources import DataSet, Points, data_set_of


def digits() -> DataSet:
    """Handwritten digits: 1,797 images of 8x8 pixels with values 0 to 16, ten classes.

    Alpaydin & Kaynak 1998, "Optical recognition of handwritten digits", UCI (its test part, as
    scikit-learn has it). A stratified fifth, 359 images, is the test set.
    """
    # Inside the function, because scikit-learn takes most of a second to import.
    from sklearn.datasets import load_digits

    bunch = load_digits()
    inputs = torch.from_numpy(bunch.images).to(torch.uint8).unsqueeze(1)
    targets = torch.from_numpy(bunch.target).long()
    return data_set_of([Points(inputs, targets)], tuple(map(str, bunch.target_names)))


def diabetes() -> DataSet:
    """Disease progression after one year (25 to 346) from ten measurements; 442 patients.

    Efron, Hastie, Johnstone, Tibshirani 2004, "Least angle regression". A random fifth, 88
    patients, is the test set.
    """
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes()
    inputs = torch.from_numpy(bunch.data).float()
    targets = torch.from_numpy(bunch.target).float().unsqueeze(1)
    return data_set_of([Points(inputs, targets)])
