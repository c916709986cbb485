"""Batches: each point once an epoch, in an order that is a pure function of (seed, epoch)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from experiments.data import points
from experiments.data.datamodule import DataModule
from experiments.data.loader import BatchLoader, FromMemory, FromWorkers, TrainingLoader
from experiments.data.order import BatchOrder, mix
from experiments.data.sources import Points
from experiments.errors.messages import UserError


def epoch(order: BatchOrder, number: int = 0) -> list[int]:
    order.set_epoch(number)
    return [i for index, *_ in order for i in index.tolist()]


@pytest.mark.parametrize(("num_points", "batch_size"), [(10, 3), (10, 10), (10, 1), (9, 3)])
def test_every_point_once_and_the_last_batch_short(num_points: int, batch_size: int) -> None:
    order = BatchOrder(num_points, batch_size, seed=0)
    sizes = [len(index) for index, *_ in order]
    assert sum(sizes) == num_points
    assert sizes[:-1] == [batch_size] * (len(order) - 1)
    assert sorted(epoch(order)) == list(range(num_points))


def test_the_order_is_a_pure_function_of_seed_and_epoch() -> None:
    order = BatchOrder(100, 10, seed=5)
    torch.manual_seed(1)
    third = epoch(order, 3)
    epoch(order, 7)
    torch.manual_seed(2)
    assert epoch(BatchOrder(100, 25, seed=5), 3) == third
    assert epoch(order, 4) != third
    assert epoch(BatchOrder(100, 10, seed=6), 3) != third


def test_neighbouring_seeds_and_epochs_have_nothing_in_common() -> None:
    pairs = [(seed, number) for seed in range(50) for number in range(50)]
    assert len({mix(*pair) for pair in pairs}) == len(pairs)
    assert mix(0, 1) != mix(1, 0)


def test_no_seed_is_the_order_of_the_data() -> None:
    assert epoch(BatchOrder(7, 3)) == list(range(7))


def test_a_fixed_order_is_the_first_epochs_in_all() -> None:
    order = BatchOrder(20, 5, seed=1, fixed=True)
    assert epoch(order, 0) == epoch(order, 9)
    assert epoch(order, 0) == epoch(BatchOrder(20, 5, seed=1), 0)


@pytest.mark.parametrize("num_ranks", [2, 3, 4])
def test_ranks_share_the_batch_that_one_device_would_have(num_ranks: int) -> None:
    whole = list(BatchOrder(17, 5, seed=2))
    shares = [
        list(BatchOrder(17, 5, seed=2, rank=r, num_ranks=num_ranks)) for r in range(num_ranks)
    ]
    for i, (index, *_) in enumerate(whole):
        parts = [shares[r][i] for r in range(num_ranks)]
        joined = [j for part, weight, _ in parts if weight for j in part.tolist()]
        assert sorted(joined) == sorted(index.tolist())
        # The mean over ranks of weight * mean over the share is the mean over the batch.
        x = torch.randn(17, dtype=torch.float64)
        mean = sum(weight * x[part].mean() for part, weight, _ in parts) / num_ranks
        torch.testing.assert_close(mean, x[index].mean())


def test_a_loader_gives_inputs_with_their_own_targets() -> None:
    data = Points(torch.arange(10).float().unsqueeze(1), torch.arange(10))
    for batch in BatchLoader(FromMemory(data, torch.device("cpu")), BatchOrder(10, 4, seed=0)):
        assert torch.equal(batch.inputs.squeeze(1).long(), batch.targets)
        assert batch.weight == 1


def module(**values: object) -> DataModule:
    return DataModule(points.moons(num_samples=100), "moons", **values)


def test_full_is_the_whole_training_set() -> None:
    data = module(batch_size="full")
    [batch] = data.train_dataloader()
    assert len(batch.targets) == len(data.train) == 72


def test_validation_points_of_the_makers_validate_and_nothing_is_cut(
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = points.moons(num_samples=100)
    own = points.moons(num_samples=30, seed=9).train
    with caplog.at_level("INFO"):
        module = DataModule(replace(data, val=own), "moons", batch_size=80, val_fraction=0.3)
    [batch] = module.val_dataloader()
    assert torch.equal(batch.inputs, own.inputs)
    assert torch.equal(batch.targets, own.targets)
    assert torch.equal(module.train.inputs, data.train.inputs)
    assert torch.equal(module.test.inputs, data.test.inputs)
    assert "moons: its own 24 validation points validate; data.val_fraction" in caplog.text
    assert module.split_name != DataModule(data, "moons", batch_size=9, val_fraction=0.3).split_name


def test_without_validation_there_is_no_validation_loader() -> None:
    data = module(val_fraction=0.0)
    assert data.val_dataloader() == []
    assert len(data.train) == 80


@pytest.mark.parametrize(
    ("given", "taken", "is_cut"),
    [(71, 71, False), (72, 72, False), (73, 72, True), ("full", 72, False)],
)
def test_a_batch_is_at_most_the_training_set(given: int | str, taken: int, is_cut: bool) -> None:
    data = module(batch_size=given)
    assert (data.batch_size, data.is_batch_cut) == (taken, is_cut)
    assert data.num_batches == (2 if taken == 71 else 1)
    assert data.batch_size_in_words == ("71" if taken == 71 else "72 (all)")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"batch_size": 0},
            "data.batch_size=0: allowed is a whole number of at least 1 (moons has",
        ),
        (
            {"batch_size": "half"},
            "has 72 training points), full, or auto for a single run. Try data.batch_size=64.",
        ),
        ({"val_fraction": 1.0}, "data.val_fraction=1.0: of 80 training points"),
        ({"val_fraction": -0.1}, "data.val_fraction=-0.1: of 80 training points"),
        ({"val_fraction": 0.001}, "leaves 80 to train and 0 to validate"),
    ],
)
def test_sizes_that_the_data_cannot_give_are_told(values: dict, said: str) -> None:
    with pytest.raises(UserError) as caught:
        module(**values)
    assert said in str(caught.value)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_memory_workers_and_torchs_dataloader_give_the_same_batches(num_workers: int) -> None:
    """Order for order: the same points in the same batches, whoever reads them."""
    data = points.moons(num_samples=100).train
    order = BatchOrder(len(data), 16, seed=3)
    order.set_epoch(2)
    cpu = torch.device("cpu")
    ours = list(BatchLoader(FromMemory(data, cpu), order))
    workers = list(BatchLoader(FromWorkers(data, cpu, num_workers), order))
    reference = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(data.inputs, data.targets),
        batch_sampler=[share.rows.tolist() for share in order],
    )
    for one, other, (inputs, targets) in zip(ours, workers, reference, strict=True):
        assert torch.equal(one.inputs, inputs)
        assert torch.equal(one.targets, targets)
        assert torch.equal(other.inputs, inputs)
        assert torch.equal(other.targets, targets)


def test_reading_by_workers_draws_nothing_from_the_common_stream() -> None:
    data = points.moons(num_samples=50).train
    before = torch.get_rng_state()
    list(BatchLoader(FromWorkers(data, torch.device("cpu"), 0), BatchOrder(len(data), 8, seed=0)))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_stream_goes_on_where_it_was_left() -> None:
    data = points.moons(num_samples=100).train
    fetch = FromMemory(data, torch.device("cpu"))

    def loader() -> TrainingLoader:
        made = TrainingLoader(fetch, BatchOrder(len(data), 16, seed=3), at_once=True)
        made.sampler.set_epoch(4)
        return made

    first = loader()
    whole = [batch.targets for batch in first.batches()]
    stream = next(iter(first))
    taken = [next(stream).targets for _ in range(2)]
    resumed = loader()
    resumed.load_state_dict(first.state_dict())
    rest = [batch.targets for stream in resumed for batch in stream]
    assert all(map(torch.equal, taken + rest, whole))
    assert len(taken + rest) == len(whole)
    # A state of another epoch is that of an epoch which is over.
    resumed.load_state_dict(first.state_dict())
    resumed.sampler.set_epoch(5)
    assert sum(len(batch.targets) for stream in resumed for batch in stream) == len(data)
