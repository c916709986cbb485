"""The workspace of a comparison: what it shows, as W&B's server stores it, and saving it."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
import wandb
from comparison.verdicts import KINDS, matrix, of_loss, several_tasks, small
from tracking.wandb_server import CANARY, Seen

from experiments.errors.messages import UserError
from experiments.tracking import dashboard
from experiments.tracking.dashboard import build, save, serialise, sweeps_of
from experiments.training import check as combinations


def section_of(verdict: Any, **more: Any) -> Any:
    """Return the heart of a serialised workspace."""
    return serialise(build(verdict, project="experiments", **more))["spec"]["section"]


def panels(section: Any, kind: str) -> list[Any]:
    """Return the configs of all panels of a kind."""
    there = [p for s in section["panelBankConfig"]["sections"] for p in s["panels"]]
    return [panel["config"] for panel in there if panel["viewType"] == kind]


def test_runs_are_those_of_the_sweep_grouped_by_setting() -> None:
    [runs] = section_of(small())["runSets"]
    assert runs["grouping"] == [{"section": "config", "name": "activation.value.name"}]
    text = json.dumps(runs["filters"])
    assert '"jobType"' in text
    assert '["activations"]' in text
    [key] = runs["sort"]["keys"]
    assert key == {"key": {"section": "summary", "name": "test/accuracy"}, "ascending": False}


def test_learning_curves_are_means_with_their_standard_deviation() -> None:
    lines = panels(section_of(small()), "Run History Line Plot")
    assert [line["metrics"] for line in lines] == [
        ["val/accuracy"], ["val/loss"], ["train/loss"], ["train/accuracy"], ["lr"]
    ]  # fmt: skip
    for line in lines:
        assert line["xAxis"] == "epoch"
        assert line["groupBy"] == "activation.value.name"
        assert (line["groupAgg"], line["groupArea"], line["aggregate"]) == ("mean", "stddev", True)
    assert [line.get("yLogScale") for line in lines] == [None] * 4 + [True]


def test_what_matters() -> None:
    section = section_of(small())
    [columns] = panels(section, "Parallel Coordinates Plot")
    assert [(c["accessor"], c.get("log")) for c in columns["columns"]] == [
        ("config:activation.value.name", None),
        ("config:optim.value.lr", True),
        ("summary:test/accuracy", None),
    ]
    assert panels(section, "Parameter Importance")[0]["targetKey"] == "test/accuracy"
    assert panels(section, "Run Comparer")[0]["diffOnly"] == "split"
    [bars] = panels(section, "Bar Chart")
    assert bars["metrics"] == ["test/accuracy"]
    assert (bars["groupAgg"], bars["groupArea"]) == ("mean", "stddev")
    [words] = panels(section, "Markdown Panel")
    assert "maxout beats relu by 0.65 points" in words["value"]


def test_two_factors_and_several_tasks() -> None:
    section = section_of(matrix())
    [runs] = section["runSets"]
    assert [key["name"] for key in runs["grouping"]] == [
        "activation.value.name",
        "optim.value.name",
    ]
    for line in panels(section, "Run History Line Plot"):
        assert "groupBy" not in line
        assert line["aggregate"]
    assert section["settings"]["maxRuns"] == 30
    [runs] = section_of(several_tasks())["runSets"]
    assert [key["name"] for key in runs["grouping"]] == ["data.value.name", "activation.value.name"]


def test_a_loss_is_best_where_it_is_least() -> None:
    verdict = of_loss()
    verdict["design"]["metric"] = "val/loss"
    section = section_of(verdict)
    [key] = section["runSets"][0]["sort"]["keys"]
    assert key["ascending"]
    assert key["key"]["name"] == "selected/val/loss"
    assert panels(section, "Parameter Importance")[0]["targetKey"] == "selected/val/loss"
    lines = panels(section, "Run History Line Plot")
    assert [line["metrics"] for line in lines] == [["val/loss"], ["train/loss"], ["lr"]]


def test_runs_outside_of_sweeps_are_found_by_their_settings() -> None:
    verdict = small()
    verdict["runs"][0]["folder"] = "outputs/runs/2026-11-27/09-30-00-0a1b2c3d"
    [runs] = section_of(verdict)["runSets"]
    [one] = runs["filters"]["filters"]
    assert one["key"] == {"section": "config", "name": "setting"}
    assert one["value"] == [setting["identity"] for setting in verdict["tasks"][0]["settings"]]


def test_before_there_is_a_verdict() -> None:
    design = {key: small()[key] for key in ("name", "design")}
    [runs] = section_of(design)["runSets"]
    assert runs["filters"]["filters"] == []
    odd = ["one", "it's", 'a "b" \\c']
    [runs] = section_of(design, sweeps=odd)["runSets"]
    assert [one["value"] for one in runs["filters"]["filters"]] == [odd]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_is_the_same_each_time(kind: str) -> None:
    made = serialise(build(KINDS[kind](), project="experiments"))
    assert json.dumps(made) == json.dumps(serialise(build(KINDS[kind](), project="experiments")))
    there = [p for s in made["spec"]["section"]["panelBankConfig"]["sections"] for p in s["panels"]]
    assert len({panel["__id__"] for panel in there}) == len(there)


def test_wandbs_own_reader_understands_it() -> None:
    made = serialise(build(small(), project="experiments", entity="me"))
    ws = dashboard.workspaces()
    internal = ws.interface.internal
    spec = internal.WorkspaceViewspec.model_validate(made["spec"])
    view = internal.View(
        entity="me", project="experiments", display_name="x", name=made["name"], id="1", spec=spec
    )
    read = ws.Workspace._from_model(view)
    assert [s.name for s in read.sections] == [
        "Verdict",
        "Learning curves",
        "What matters",
        "Runs side by side",
    ]
    assert str(read.runset_settings.filters) == "Metric(\"JobType\") in ['activations']"


def test_sweeps_of_a_verdict() -> None:
    folders = ["outputs/sweeps/a/x", "/somewhere/sweeps/outputs/sweeps/b/tuning/y", "o/sweeps/a/z"]
    assert sweeps_of({"runs": [{"folder": folder} for folder in folders]}) == ["a", "b/tuning"]
    assert sweeps_of({"runs": [{"folder": f} for f in [*folders, "outputs/runs/d/e"]]}) == []


def test_groups_are_those_of_the_catalogue() -> None:
    assert dashboard.GROUPS == combinations.CATALOGUE_GROUPS


def test_saved_and_saved_again(server: Seen, capfd: pytest.CaptureFixture[str]) -> None:
    url = save(build(small(), project="experiments"))
    [sent] = server.views.values()
    assert (sent["entityName"], sent["projectName"]) == ("me", "experiments")
    assert sent["displayName"] == "activations: verdict"
    assert json.loads(sent["spec"]) == serialise(build(small(), project="experiments"))["spec"]
    assert url == f"{server.url}/me/experiments?nw={sent['name'][3:-2]}"
    assert save(build(of_loss(), project="experiments", entity="me")) == url
    [again] = server.views.values()
    assert "test/loss" in again["spec"]
    verdict = small(name="others")
    assert save(build(verdict, project="experiments")) != url
    assert len(server.views) == 2
    assert CANARY not in json.dumps(list(server.views.values()))
    assert capfd.readouterr() == ("", "")


def test_saving_without_a_key(server: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    wandb.teardown()
    with pytest.raises(UserError, match="there is no key for this server of W&B"):
        save(build(small(), project="experiments"))
    assert not server.views


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb_workspaces.workspaces", None)
    with pytest.raises(UserError, match=r"pip install -e '.\[dashboard\]'"):
        build(small(), project="experiments")
