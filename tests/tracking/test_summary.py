"""The verdict as a run of W&B: offline, online, written twice, and where W&B is of no use."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb
from comparison.verdicts import KINDS, several_tasks, small, troubled, tuned
from PIL import Image
from tracking.offline_runs import OfflineRun, offline_runs
from tracking.wandb_server import CANARY, Seen, wandb_server

from experiments.tracking import summary
from experiments.tracking.mirrored import CHEAP
from experiments.tracking.state import State, read_state, write_state
from experiments.tracking.summary import JOB_TYPE, scalars, write_summary

PAGE = '<html><head><meta http-equiv="Content-Security-Policy"></head><body>é</body></html>'


@pytest.fixture(autouse=True)
def _afresh() -> Iterator[None]:
    """W&B reads its environment once per process: begin and end with one that has read nothing."""
    wandb.teardown()
    yield
    wandb.teardown()


def report(verdict: Any) -> Path:
    """Write the files of a report."""
    folder = Path("outputs/reports") / "activations"
    (folder / "plots").mkdir(parents=True, exist_ok=True)
    (folder / "report.html").write_text(PAGE)
    (folder / "verdict.json").write_text(json.dumps(verdict))
    for name in ("seeds", "curves-val-accuracy"):
        Image.new("RGB", (8, 6), "white").save(folder / "plots" / f"{name}.png")
        (folder / "plots" / f"{name}.svg").write_text("<svg/>")
    return folder


def written(verdict: Any, mode: str = "auto") -> str:
    """Write a verdict to W&B and return the line."""
    return write_summary(
        verdict, report(verdict), project="experiments", entity=None, mode=mode, output="outputs"
    )


def kept_id() -> str:
    """Return the id that the report folder has kept."""
    state = read_state(Path("outputs/reports/activations"))
    assert state is not None
    assert re.fullmatch("verdict-activations-[0-9a-f]{8}", state.wandb_id)
    return state.wandb_id


def only_run() -> OfflineRun:
    """Return the one offline run."""
    [run] = offline_runs().values()
    return run


def table(name: str) -> Any:
    """Return a table that was logged offline."""
    [path] = Path("outputs/wandb").glob(f"offline-run-*/files/media/table/{name}_*.table.json")
    content = json.loads(path.read_text())
    return [dict(zip(content["columns"], row, strict=True)) for row in content["data"]]


def test_offline() -> None:
    verdict = small()
    line = written(verdict)
    [folder] = Path("outputs/wandb").glob("offline-run-*")
    assert line == (
        "W&B: offline, because no key is configured (wandb login sets one). "
        f"The verdict is {folder}"
    )
    run = only_run()
    assert (run.id, run.name, run.group, run.job_type) == (
        kept_id(),
        "activations",
        "activations",
        JOB_TYPE,
    )
    assert run.tags == ["activation", "verdict"]
    assert run.exit_code == 0
    assert run.config["comparison"] == "activations"
    assert run.config["design"] == verdict["design"]
    pair = verdict["tasks"][0]["pairs"][0]
    assert run.summary["verdict/elu-relu"] == pair["verdict"]
    assert run.summary["difference/elu-relu"] == pair["difference"]
    assert run.summary["p_holm/elu-relu"] == pair["p_holm"]
    assert run.summary["mean/relu"] == verdict["tasks"][0]["settings"][0]["mean"]
    assert run.summary["headline"].startswith("maxout beats relu by 0.65 points")
    # In the history W&B would draw curves of one point: of a table's number of columns.
    assert run.rows == []
    assert set(run.summary) >= {"settings", "pairs", "report", "pictures"}
    assert "tuning_price" not in run.summary
    assert run.summary["pairs"]["_type"] == run.summary["pictures"]["_type"] == "table-file"
    assert run.summary["report"]["_type"] == "html-file"
    assert [row["name"] for row in table("pictures")] == ["curves-val-accuracy", "seeds"]


def test_tables() -> None:
    verdict = troubled()
    written(verdict)
    settings, pairs = table("settings"), table("pairs")
    [made] = verdict["tasks"]
    assert [row["setting"] for row in settings] == [s["name"] for s in made["settings"]]
    assert [row["activation"] for row in settings] == [s["name"] for s in made["settings"]]
    assert [row["mean"] for row in settings] == [s["mean"] for s in made["settings"]]
    assert [[row["interval_low"], row["interval_high"]] for row in settings] == [
        s["interval"] for s in made["settings"]
    ]
    assert [row["is_control"] for row in settings] == [True] + [False] * 5
    names = {s["id"]: s["name"] for s in made["settings"]}
    assert [(row["a"], row["b"], row["verdict"], row["reason"]) for row in pairs] == [
        (names[p["a"]], names[p["b"]], p["verdict"], p["reason"]) for p in made["pairs"]
    ]


def test_what_tuning_costs_is_a_table_and_each_pair_says_where_it_was_settled() -> None:
    verdict = tuned()
    verdict["tasks"][0]["pairs"][0]["look"] = {"settled": True, "seeds": 6}
    verdict["tasks"][0]["pairs"][1]["look"] = {"settled": False, "seeds": 9}
    written(verdict)
    assert [row["settled_at"] for row in table("pairs")] == [6, None, None, None, None]
    [task] = verdict["tuning_price"]["tasks"]
    assert [
        [row["setting"], row["trials"], row["expected_best"]] for row in table("tuning_price")
    ] == [[s["name"], k, s["expected"][k - 1]] for s in task["settings"] for k in range(1, 10)]


def test_files_are_an_artifact_and_the_page_is_left_as_it_is() -> None:
    written(small())
    staged = [p.read_bytes() for p in Path("outputs/wandb/artifacts").glob("**/*") if p.is_file()]
    for path in Path("outputs/reports/activations").rglob("*"):
        assert not path.is_file() or path.name.startswith(".") or path.read_bytes() in staged
    [page] = Path("outputs/wandb").glob("offline-run-*/files/media/html/*.html")
    assert page.read_text(encoding="utf-8") == PAGE


def test_written_again_offline_it_takes_the_place_of_the_one_before() -> None:
    written(small())
    first_id = kept_id()
    [before] = Path("outputs/wandb").glob("offline-run-*")
    stranger = before.with_name(f"offline-run-20000101_000000-{first_id}")
    other = before.with_name("offline-run-20000101_000000-0123")
    stranger.mkdir(), other.mkdir()
    written(small(3))
    stranger.rmdir(), other.rmdir()  # neither was written by us
    assert only_run().config["design"]["seeds"] == [0, 1, 2]
    assert only_run().id == kept_id() == first_id


def test_the_same_comparison_in_another_folder_is_another_run() -> None:
    """A colleague's verdict of the same name takes no place of ours; an older id is kept."""
    written(small())
    first_id = kept_id()
    shutil.move("outputs/reports/activations", "outputs/reports/ours")
    written(small())
    assert kept_id() != first_id
    assert len(list(Path("outputs/wandb").glob("offline-run-*"))) == 2
    old = State("verdict-activations-25be62c8", "online", "20260101_000000", finished=True)
    write_state(Path("outputs/reports/activations"), old)
    written(small())
    assert kept_id() == old.wandb_id


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_verdict(kind: str) -> None:
    verdict = KINDS[kind]()
    assert written(verdict).startswith("W&B: offline")
    run = only_run()
    assert run.exit_code == 0
    assert len(table("pairs")) == sum(len(task["pairs"]) for task in verdict["tasks"])
    assert len(table("settings")) == sum(len(task["settings"]) for task in verdict["tasks"])


def test_names_of_several_tasks() -> None:
    found = scalars(several_tasks(2))
    assert {"mean/mnist/relu", "mean/fashion_mnist/relu", "verdict/mnist/elu-relu"} <= set(found)
    assert sum(found["pairs_by_verdict"].values()) == 2 * 4


def test_online_and_written_again(server: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    # What an agent tells its run is not for this one.
    monkeypatch.setenv("WANDB_RUN_ID", "agents")
    monkeypatch.setenv("WANDB_SWEEP_ID", "agents")
    line = written(small())
    run_id = kept_id()
    assert line == f"W&B: online. The verdict is {server.url}/me/experiments/runs/{run_id}"
    assert list(server.runs) == [run_id]
    sent = server.runs[run_id]
    assert (sent["groupName"], sent["jobType"]) == ("activations", JOB_TYPE)
    assert sent["notes"] == "\n".join(small()["headline"])
    assert server.exit_codes[run_id] == 0
    assert "verdict/sigmoid-relu" in server.summary(run_id)
    [made] = [one for one in server.artifacts if one["artifactTypeName"] == JOB_TYPE]
    assert made["artifactCollectionName"] == "verdict-activations"
    there = {"report.html", "verdict.json", "plots/seeds.png", "plots/seeds.svg"}
    assert {f"artifacts/{name}" for name in there} <= set(server.files)
    assert PAGE.encode() in server.files.values()
    # A verdict without sigmoid: nothing of it is left.
    verdict = small()
    verdict["tasks"][0]["settings"].pop(), verdict["tasks"][0]["pairs"].pop()
    written(verdict)
    assert list(server.runs) == [run_id]
    assert "verdict/elu-relu" in server.summary(run_id)
    assert "verdict/sigmoid-relu" not in server.summary(run_id)
    assert server.history(run_id) == []
    assert not list(Path("outputs/wandb").glob("offline-run-*"))
    assert any(CANARY in header for header in server.headers)
    for path in Path().glob("**/*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path


def test_disabled() -> None:
    assert written(small(), "disabled") == "W&B: disabled, as asked for."
    assert not Path("outputs/wandb").exists()
    assert not Path("outputs/reports/activations/.mirror.json").exists()


def test_what_goes_wrong_spoils_nothing_and_reaches_wandb_as_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*arguments: object) -> None:
        raise OSError("no such thing")

    monkeypatch.setattr(summary, "scalars", broken)
    assert written(small()) == "W&B: the verdict is not written there (OSError: no such thing)."
    assert only_run().exit_code == 1


def test_a_server_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CHEAP, "finish_timeout", 1)
    log_verdict = summary.log_verdict
    with contextlib.ExitStack() as stack:
        seen = stack.enter_context(wandb_server())
        monkeypatch.setenv("WANDB_BASE_URL", seen.url)
        monkeypatch.setenv("WANDB_API_KEY", CANARY)

        def log_and_lose(*arguments: Any) -> None:
            log_verdict(*arguments)
            stack.close()

        monkeypatch.setattr(summary, "log_verdict", log_and_lose)
        line = written(small())
    [folder] = Path("outputs/wandb").glob("run-*")
    assert line == (
        "W&B: the server has not taken all of the verdict in time. All is on disk; to send it: "
        f"wandb sync --include-online {folder}"
    )
