"""The cache gives what the source gives, reads nothing twice, and is never half-written."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from experiments.data.cache import cached, own_name, state_of
from experiments.data.points import moons
from experiments.data.sources import DataSet

SOURCES = [Path("data/a"), Path("data/b")]


class Decoder:
    """Counts how often the sources are decoded."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.calls = 0

    def __call__(self) -> DataSet:
        self.calls += 1
        Path("data").mkdir(exist_ok=True)
        for path in SOURCES:
            if not path.is_file():
                path.write_text("source")
        return moons(num_samples=50, seed=self.seed)


def get(decode: Callable[[], DataSet]) -> DataSet:
    return cached("set", Path("data"), SOURCES, decode)


def same(one: DataSet, other: DataSet) -> bool:
    pairs = [(p, n) for p in ("train", "test") for n in ("inputs", "targets")]
    is_equal = [
        torch.equal(getattr(getattr(one, p), n), getattr(getattr(other, p), n)) for p, n in pairs
    ]
    return all(is_equal) and (one.task, one.class_names) == (other.task, other.class_names)


def test_the_cache_gives_what_the_source_gives_and_decodes_once() -> None:
    decode = Decoder()
    first, second = get(decode), get(decode)
    assert decode.calls == 1
    assert same(first, moons(num_samples=50))
    assert same(second, first)
    assert second.checksum() == moons(num_samples=50).checksum()


def test_validation_points_are_kept_and_belong_to_the_checksum() -> None:
    val = moons(num_samples=20, seed=7).train
    first = get(lambda: dataclasses.replace(Decoder()(), val=val))
    second = get(lambda: pytest.fail("decoded again"))
    for data in (first, second):
        assert data.val is not None
        assert torch.equal(data.val.inputs, val.inputs)
        assert torch.equal(data.val.targets, val.targets)
    assert second.checksum() != moons(num_samples=50).checksum()


def test_a_second_start_computes_no_fact_again(monkeypatch: pytest.MonkeyPatch) -> None:
    get(Decoder()).facts.get("mean", lambda: [1.5])
    monkeypatch.setattr(DataSet, "_digest", lambda self: pytest.fail("hashed again"))
    again = get(Decoder())
    assert again.facts.get("mean", lambda: pytest.fail("computed again")) == [1.5]
    assert (
        again.checksum() == json.loads(Path("data/cache/set.json").read_text())["facts"]["checksum"]
    )


def test_tensors_are_mapped_and_not_read() -> None:
    get(Decoder())
    data = get(Decoder())
    maps = Path("/proc/self/maps")
    if maps.is_file():
        [path] = Path("data/cache").glob("*.pt")
        assert str(path.resolve()) in maps.read_text()
    data.train.inputs[0] = 7.0  # a private copy of the page, not the file
    assert not torch.equal(get(Decoder()).train.inputs[0], data.train.inputs[0])


def test_changed_sources_are_decoded_anew() -> None:
    get(Decoder())
    SOURCES[0].write_text("another")
    other = Decoder(seed=1)
    assert same(get(other), moons(num_samples=50, seed=1))
    assert other.calls == 1
    # Only touched: decoded once more, and the file of this content is used again.
    os.utime(SOURCES[0])
    before = {p.name: p.stat().st_mtime_ns for p in Path("data/cache").glob("*.pt")}
    get(other)
    assert other.calls == 2
    assert {p.name: p.stat().st_mtime_ns for p in Path("data/cache").glob("*.pt")} == before


@pytest.mark.parametrize(
    "damage", ["truncated", "gone", "overwritten", "empty index", "half an index", "other index"]
)
def test_a_damaged_cache_is_made_anew(damage: str, caplog: pytest.LogCaptureFixture) -> None:
    get(Decoder())
    [path], index = Path("data/cache").glob("*.pt"), Path("data/cache/set.json")
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "gone":
        path.unlink()
    elif damage == "overwritten":  # which torch does not see
        content = bytearray(path.read_bytes())
        content[len(content) // 2 : len(content) // 2 + 8] = b"\0" * 8
        path.write_bytes(content)
    elif damage == "empty index":
        index.write_text("")
    elif damage == "other index":
        index.write_text(json.dumps({"format": 99}))
    else:
        index.write_text(index.read_text()[:40])
    decode = Decoder()
    assert same(get(decode), moons(num_samples=50))
    assert decode.calls == 1
    assert "decoded anew" in caplog.text
    assert same(get(decode), moons(num_samples=50))
    assert decode.calls == 1


def test_a_cache_that_was_only_touched_is_read_once_and_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    get(Decoder())
    [path] = Path("data/cache").glob("*.pt")
    os.utime(path)
    assert same(get(lambda: pytest.fail("decoded again")), moons(num_samples=50))
    monkeypatch.setattr(DataSet, "_digest", lambda self: pytest.fail("hashed again"))
    get(lambda: pytest.fail("decoded again"))


def test_where_nothing_can_be_written_the_data_serve_as_they_are() -> None:
    Path("data").mkdir()
    Path("data/cache").write_text("a file where the folder should be")
    decode = Decoder()
    assert same(get(decode), moons(num_samples=50))
    assert same(get(decode), moons(num_samples=50))
    assert decode.calls == 2


def test_a_disk_that_is_full_leaves_nothing_half_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        Path(str(arguments[1])).write_bytes(b"half")
        raise RuntimeError("PytorchStreamWriter failed writing file: file write failed")

    monkeypatch.setattr(torch, "save", full)
    assert same(get(Decoder()), moons(num_samples=50))
    assert list(Path("data/cache").iterdir()) == []


def together(barrier: multiprocessing.Barrier, results: multiprocessing.Queue) -> None:
    """One of several processes that start at the same moment."""
    barrier.wait()
    results.put(get(Decoder()).checksum())


def test_several_processes_may_start_at_once() -> None:
    # The files first: of four that write them at once, one may see another's half.
    Decoder()()
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(4), context.Queue()
    workers = [context.Process(target=together, args=(barrier, results)) for _ in range(4)]
    for worker in workers:
        worker.start()
    checksums = {results.get(timeout=60) for _ in workers}
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert checksums == {moons(num_samples=50).checksum()}
    assert sorted(p.suffix for p in Path("data/cache").iterdir()) == [".json", ".pt"]
    decode = Decoder()
    get(decode)
    assert decode.calls == 0


def test_what_a_killed_process_left_is_removed_after_a_while() -> None:
    Path("data/cache").mkdir(parents=True)
    old, new = (Path(f"data/cache/.set-{number}.part") for number in (1, 2))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    get(Decoder())
    assert not old.exists()
    assert new.exists()  # perhaps being written


def test_a_missing_source_has_no_state() -> None:
    assert state_of([Path("nowhere")]) is None


def test_sources_may_be_listed_after_decoding() -> None:
    # What is downloaded is not there before.
    decode = Decoder()
    listing = lambda: [path for path in SOURCES if path.is_file()]  # noqa: E731
    for _ in range(2):
        assert same(cached("set", Path("data"), listing, decode), moons(num_samples=50))
    assert decode.calls == 1
    SOURCES[0].unlink()
    cached("set", Path("data"), listing, decode)
    assert decode.calls == 2


def test_without_sources_nothing_is_cached() -> None:
    decode = Decoder()
    for _ in range(2):
        cached("set", Path("data"), [], decode)
    assert decode.calls == 2
    assert not Path("data/cache").exists()


def test_own_data_are_named_by_their_place_and_how_they_are_read(tmp_path: Path) -> None:
    names = {
        own_name("npz", Path("a.npz"), "auto"),
        own_name("npz", Path("b.npz"), "auto"),
        own_name("npz", Path("a.npz"), "regression"),
        own_name("csv", Path("a.npz"), "auto"),
        own_name("npz", Path("sub/a.npz"), "auto"),
    }
    assert len(names) == 5
    assert own_name("npz", tmp_path / "a.npz", "auto") == own_name("npz", Path("a.npz"), "auto")
