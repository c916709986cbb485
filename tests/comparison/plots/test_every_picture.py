"""Pictures: valid Vega-Lite that says what the verdict says, and files that anyone can open."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import vl_convert
from comparison import verdicts

from experiments.comparison.plots.best_of_trials import best_of_trials
from experiments.comparison.plots.by_number import by_number
from experiments.comparison.plots.critical_difference import critical_difference, placed
from experiments.comparison.plots.differences import differences
from experiments.comparison.plots.every_picture import pictures_of
from experiments.comparison.plots.palette import CROSS, DARK, LIGHT, looks_of
from experiments.comparison.plots.picture import PNG_SCALE, still, write_pictures
from experiments.comparison.plots.ranges import EDGE
from experiments.comparison.plots.seeds import seed_dots
from experiments.comparison.plots.setting_rows import named, task_looks
from experiments.comparison.plots.steps_to_target import target_bars
from experiments.comparison.plots.two_factors import heat_map


def rows_of(spec: dict[str, Any] | None) -> list[dict[str, Any]]:
    assert spec is not None
    return spec["usermeta"]["rows"]


def svg_of(spec: dict[str, Any]) -> str:
    plain = still(spec)
    return vl_convert.vegalite_to_svg(json.dumps(plain), allowed_base_urls=[])


@pytest.mark.parametrize("kind", verdicts.KINDS)
def test_every_picture_of_every_kind_compiles_and_draws(
    kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    verdict = verdicts.KINDS[kind]()
    specs = pictures_of(verdict, verdicts.curves_of(verdict, 6))
    alike = [name for name in specs if name.startswith("curves-train")]
    if kind == "several_tasks":  # the pictures of one task stand for those of the others
        alike += [name for name in specs if not name.endswith(("-mnist", "ranks", "profile"))]
    for name in specs.keys() - set(alike):
        tree = ElementTree.fromstring(svg_of(specs[name]))
        assert float(tree.attrib["width"]) > 300, name
        assert "NaN" not in ElementTree.tostring(tree, encoding="unicode"), name
    assert "WARN" not in capfd.readouterr().err


def test_which_pictures_there_are_depends_on_the_data() -> None:
    assert list(pictures_of(verdicts.small())) == ["seeds", "differences"]
    verdict = verdicts.tuned()
    names = list(pictures_of(verdict, verdicts.curves_of(verdict)))
    assert names[:3] == ["seeds", "differences", "curves-val-accuracy"]
    assert {"sensitivity", "steps", "price"} < set(names)
    assert {"matrix", "interaction"} < set(pictures_of(verdicts.matrix()))
    assert {"ranks", "profile", "seeds-mnist"} < set(pictures_of(verdicts.several_tasks()))


def test_of_values_that_were_tuned_together_each_key_has_every_trial() -> None:
    verdict = verdicts.tuned_together()
    specs = pictures_of(verdict)
    assert "sensitivity" not in specs
    keys = [name for name in specs if name.startswith("trials-")]
    assert keys == ["trials-optim-lr", "trials-optim-nesterov", "trials-optim-weight_decay"]
    for name in keys:
        rows, (x, *_) = specs[name]["data"]["values"], x_channels(specs[name])
        assert len(rows) == 12 * len(verdict["trials"]["settings"])
        assert sum(row["is_best"] for row in rows) == len(verdict["trials"]["settings"])
        if name.endswith("nesterov"):
            assert (x["type"], x["sort"]) == ("nominal", ["true", "false"])
        else:
            assert x["scale"]["type"] == "log"
    drawn = svg_of(specs["trials-optim-lr"])
    assert ">failed<" in drawn
    [best, *_] = verdict["trials"]["settings"]
    assert f"{best['name']} chose {best['best']['optim.lr']:.4g}" in specs[keys[0]]["description"]


def x_channels(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [layer["encoding"]["x"] for layer in spec["layer"]]


def test_tasks_whose_names_give_one_file_name_keep_all_pictures() -> None:
    verdict = verdicts.several_tasks(2)
    verdict["tasks"][0]["name"], verdict["tasks"][1]["name"] = "a/b", "a b"
    assert {"seeds-a-b", "seeds-a-b-2"} < set(pictures_of(verdict))


def test_settings_are_sorted_by_mean_and_the_control_is_marked() -> None:
    verdict = verdicts.small()
    spec = seed_dots(verdict, verdict["tasks"][0])
    names = [row["name"] for row in rows_of(spec)]
    ordered = sorted(verdict["tasks"][0]["settings"], key=lambda s: -s["mean"])
    assert names == [s["name"] + " (control)" * s["is_control"] for s in ordered]


def test_of_a_loss_the_lowest_is_first() -> None:
    verdict = verdicts.of_loss()
    assert rows_of(seed_dots(verdict, verdict["tasks"][0]))[0]["name"] == "elu"
    spec = differences(verdict, verdict["tasks"][0])
    assert spec is not None
    assert "← better" in json.dumps(spec, ensure_ascii=False)


def test_every_seed_is_a_dot_and_every_failure_a_cross() -> None:
    verdict = verdicts.troubled()
    spec = seed_dots(verdict, verdict["tasks"][0])
    assert spec is not None
    points = [layer for layer in spec["layer"] if layer["mark"]["type"] == "point"]
    done, failed, means, *_ = (layer["data"]["values"] for layer in points)
    assert (len(done), len(failed), len(means)) == (58, 2, 6)
    assert {row["words"] for row in failed} == {
        "counts as 10.00 %: diverged: the loss became nan at step 12",
        "counts as 10.00 %: no better than chance",
    }  # fmt: skip
    assert points[1]["mark"]["shape"] == CROSS


def test_the_forest_has_intervals_words_and_the_margin() -> None:
    verdict = verdicts.small()
    [task] = verdict["tasks"]
    spec = differences(verdict, task)
    assert spec is not None
    margin = spec["layer"][0]
    assert margin["data"]["values"] == [{"low": -0.005, "high": 0.005}]
    tabled = {row["name"]: row for row in rows_of(spec)}
    drawn = {row["name"]: row for row in spec["layer"][2]["data"]["values"]}
    for pair in task["pairs"]:
        name = task["settings"][pair["a"]]["name"]
        assert tabled[name]["verdict"] == pair["verdict"]
        assert [drawn[name]["low"], drawn[name]["high"]] == pair["interval"]
        assert pair["verdict"] in drawn[name]["words"]
    texts = svg_of(spec)
    for pair in task["pairs"]:
        assert pair["verdict"] in texts


def test_what_lies_beyond_the_range_is_an_arrow_with_its_value_and_stands_nowhere() -> None:
    verdict = verdicts.small()
    [task] = verdict["tasks"]
    spec = differences(verdict, task)
    assert spec is not None
    close = svg_of(spec)
    far = next(pair for pair in task["pairs"] if pair["a"] == 5)
    assert close.count(f">{verdicts.signed(far['difference'])}<") == 1
    # The mean of every comparison but one is drawn, and in the whole range each of them.
    assert num_means(close) == len(task["pairs"]) - 1
    whole = {
        **spec,
        "params": [p | {"value": p["value"] and p["name"] != "zoom"} for p in spec["params"]],
    }
    assert num_means(svg_of(whole)) == len(task["pairs"])
    assert f">{verdicts.signed(far['difference'])}<" not in svg_of(whole)


def num_means(svg: str) -> int:
    """Return how many marks with a seam there are, which only means have."""
    return len(
        re.findall(rf'<path transform="[^"]*" d="[^"]*"[^>]* stroke="{LIGHT["paper"]}"', svg)
    )


def test_a_failed_seed_far_below_is_an_arrow_and_no_cross_at_the_edge() -> None:
    verdict = verdicts.troubled()
    for setting in verdict["tasks"][0]["settings"]:
        if setting["name"] == "sigmoid":
            setting |= {"mean": 0.875, "interval": [0.874, 0.876]}
            failed = dict.fromkeys(setting["failures"], 0.1)
            setting["scores"] = dict.fromkeys(setting["scores"], 0.875) | failed
    spec = seed_dots(verdict, verdict["tasks"][0])
    assert spec is not None
    assert ">2 seeds<" in svg_of(spec)
    crosses = next(layer for layer in spec["layer"] if layer["mark"].get("shape") == CROSS)
    assert "datum.value >=" in crosses["transform"][0]["filter"]


def test_colours_of_two_factors_are_those_of_the_first() -> None:
    verdict = verdicts.matrix()
    looks = task_looks(verdict["tasks"][0])
    by_first: dict[str, set[str]] = {}
    for setting in verdict["tasks"][0]["settings"]:
        by_first.setdefault(setting["levels"]["activation"], set()).add(
            looks[named(setting)].colour
        )
    assert [len(colours) for colours in by_first.values()] == [1] * 6
    assert len(set.union(*by_first.values())) == 6
    assert len({(look.colour, look.shape) for look in looks.values()}) == 30


def test_colours_shapes_and_dashes_tell_settings_apart() -> None:
    looks = looks_of([str(i) for i in range(200)], "0").values()
    assert len({(look.colour, look.shape, tuple(look.dash)) for look in looks}) == 200
    first = list(looks)[:6]
    assert len({look.shape for look in first}) == 6


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    """WCAG 2.1, contrast ratio."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_marks_stand_out_from_the_page(colours: dict[str, str]) -> None:
    for name in ("ink", "quiet", "unsettled"):
        assert contrast(colours[name], colours["paper"]) >= 4, name
    for name in ("blue", "vermilion", "green", "purple", "orange", "sky"):
        assert contrast(colours[name], colours["paper"]) >= 3, name
    for step, on in itertools.product(range(7), ("on-low", "on-high")):
        if (step >= 4) == (on == "on-high"):
            assert contrast(colours[on], colours[f"ramp{step}"]) >= 3.5, (step, on)


def test_each_colour_has_one_name() -> None:
    assert len(set(LIGHT.values())) == len(LIGHT)
    assert set(LIGHT) == set(DARK)


def test_the_matrix_has_its_numbers_in_its_cells() -> None:
    verdict = verdicts.matrix()
    spec = heat_map(verdict)
    assert spec is not None
    text = svg_of(spec)
    for row in verdict["matrix"]["means"]:
        for mean in row:
            assert f">{mean * 100:.2f}<" in text
    steps = {row["words"]: row for row in spec["data"]["values"]}
    assert {row["step"] for row in steps.values()} >= {0, 6}


def test_the_best_cell_has_the_strongest_colour_whichever_way_is_better() -> None:
    verdict = verdicts.matrix()
    for higher in (True, False):
        verdict["design"]["higher_is_better"] = higher
        spec = heat_map(verdict)
        assert spec is not None
        pick = max if higher else min
        assert pick(spec["data"]["values"], key=lambda row: row["mean"])["step"] == 6


def test_a_setting_that_never_arrives_has_words_and_no_bar() -> None:
    verdict = verdicts.tuned()
    spec = target_bars(verdict, verdict["tasks"][0])
    assert spec is not None
    bars = spec["layer"][0]["data"]["values"]
    assert len(bars) == 5
    assert rows_of(spec)[-1]["words"].startswith("never")
    assert [row["steps"] for row in bars] == sorted(row["steps"] for row in bars)


def test_the_price_of_tuning_is_a_line_over_trials_and_the_default_stands_before_it() -> None:
    verdict = verdicts.tuned()
    [task] = verdict["tasks"]
    spec = best_of_trials(verdict, task)
    assert spec is not None
    [priced] = verdict["tuning_price"]["tasks"]
    relu = [row for row in spec["data"]["values"] if row["name"] == "relu"]
    assert [row["trials"] for row in relu] == list(range(10))
    own = next(setting for setting in priced["settings"] if setting["name"] == "relu")
    assert [row["line"] for row in relu] == [None, *own["expected"]]
    assert (relu[0]["expected"], relu[0]["low"]) == (own["default"], None)
    assert best_of_trials(verdicts.small(), task) is None
    own["expected"][0] = own["low"][0] = own["high"][0] = None  # a loss of one that may fail
    svg = svg_of(best_of_trials(verdict, task) or {})
    assert "Expected best of k trials" in svg
    assert "NaN" not in svg


def test_ranks_are_drawn_where_they_are_and_no_line_crosses_a_name() -> None:
    verdict = verdicts.several_tasks()
    spec = critical_difference(verdict)
    assert spec is not None
    ranked = [(row["name"], row["rank_text"]) for row in rows_of(spec)]
    assert ranked == [
        ("maxout", "1.20"),
        ("leaky_relu", "2.70"),
        ("relu", "3.10"),
        ("elu", "3.60"),
        ("tanh", "4.40"),
    ]
    rows = placed([name for name, _ in ranked], [float(rank) for _, rank in ranked], 2)
    left = [row for row in rows if row["is_left"]]
    assert [row["depth"] for row in left] == sorted(row["depth"] for row in left)


def test_long_curves_are_thinned_out_and_keep_their_end() -> None:
    verdict = verdicts.small()
    specs = pictures_of(verdict, verdicts.curves_of(verdict, 1001))
    rows = specs["curves-val-loss"]["data"]["values"]
    relu = [row["epoch"] for row in rows if row["name"] == "relu (control)"]
    assert len(relu) <= 201
    assert relu[-1] == 1001


def test_files_are_written_with_text_that_any_viewer_has_a_font_for(tmp_path: Path) -> None:
    specs = pictures_of(verdicts.small())
    written = write_pictures(specs, tmp_path / "plots")
    names = ["seeds", "seeds-whole", "differences", "differences-whole"]
    assert [path.name for path in written] == [
        f"{n}.{end}" for n in names for end in ("svg", "png")
    ]
    close = (tmp_path / "plots" / "differences.svg").read_text()
    assert EDGE in close
    assert ">−8<" not in close
    assert ">−8<" in (tmp_path / "plots" / "differences-whole.svg").read_text()
    svg = (tmp_path / "plots" / "seeds.svg").read_text()
    assert "<text" in svg
    assert "sans-serif" in svg
    assert not re.findall(r'(?:href|src)="', svg)
    png = (tmp_path / "plots" / "seeds.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    width = float(re.search(r'width="([\d.]+)"', svg).group(1))  # type: ignore[union-attr]
    assert int.from_bytes(png[16:20], "big") == pytest.approx(PNG_SCALE * width, abs=2)


def test_the_same_verdict_gives_the_same_files(tmp_path: Path) -> None:
    verdict = verdicts.tuned()
    curves = verdicts.curves_of(verdict)
    for folder in ("a", "b"):
        write_pictures(
            {
                k: v
                for k, v in pictures_of(verdict, curves).items()
                if k in ("seeds", "sensitivity")
            },
            tmp_path / folder,
        )
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_names_are_data_and_never_part_of_an_expression() -> None:
    verdict = verdicts.hostile()
    specs = pictures_of(verdict, verdicts.curves_of(verdict, 3))

    def expressions(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [
                v
                for k, v in value.items()
                if k in ("expr", "test", "filter", "calculate", "labelExpr") and isinstance(v, str)
            ]
            return own + [
                e
                for k, v in value.items()
                if k not in ("values", "usermeta")
                for e in expressions(v)
            ]
        return [e for part in value for e in expressions(part)] if isinstance(value, list) else []

    for spec in specs.values():
        for expression in expressions(spec):
            assert "alert" not in expression


@pytest.mark.parametrize("num_epochs", [1, 2, 3, 9, 40])
def test_epochs_have_whole_ticks_each_once(num_epochs: int) -> None:
    verdict = verdicts.small()
    spec = pictures_of(verdict, verdicts.curves_of(verdict, num_epochs))["curves-val-accuracy"]
    axis = svg_of(spec).partition(">epoch<")[0].rpartition("role-axis-label")[2]
    epochs = [int(label) for label in re.findall(r">(\d+)</text>", axis)]
    assert epochs == sorted(set(epochs))
    assert epochs[-1] == num_epochs


def widths(levels: dict[str, float], num_seeds: int = 8) -> dict[str, Any]:
    """Return a verdict of a factor of these levels, with training accuracies."""
    rng = np.random.default_rng(4)
    made = verdicts.task("mnist1d", levels, num_seeds, rng, control=None, factor="model.hidden")
    verdict = verdicts.verdict_of([made])
    verdict["design"]["factor"] = ["model.hidden"]
    for run in verdict["runs"]:
        run["metrics"]["train/accuracy"] = 1 - run["setting"] / 10
    return verdict


def test_a_factor_of_numbers_is_a_curve_in_their_order_with_training_beside_it() -> None:
    verdict = widths({"[16,16]": 0.53, "[300,300]": 0.55, "[47,47]": 0.46})
    [task] = verdict["tasks"]
    spec = by_number(verdict, task)
    assert spec is not None
    rows = spec["data"]["values"]
    by_name = {name: [r for r in rows if r["name"] == name] for name in ("test/accuracy", "train/accuracy")}  # fmt: skip
    settings = {s["name"]: s for s in task["settings"]}
    for number, row in zip((16, 47, 300), by_name["test/accuracy"], strict=True):
        own = settings[f"[{number},{number}]"]
        assert (row["value"], row["mean"], [row["low"], row["high"]]) == (number, own["mean"], own["interval"])  # fmt: skip
    assert [row["mean"] for row in by_name["train/accuracy"]] == pytest.approx([1.0, 0.8, 0.9])
    svg = svg_of(spec)
    assert "model.hidden, of each layer" in svg
    assert all(f">{number}<" in svg for number in (16, 47, 300))
    assert "by-number" in pictures_of(verdict)


def test_of_one_seed_there_are_no_bands_and_of_words_there_is_no_curve() -> None:
    spec = by_number(verdict := widths({"1": 0.5, "2": 0.6, "4": 0.7}, 1), verdict["tasks"][0])
    assert spec is not None
    assert all(row["low"] is None for row in spec["data"]["values"])
    assert spec["title"]["subtitle"] == ["Means over seeds."]
    for levels in (["relu", "1", "2"], ["1", "2"], ["[8]", "[9,9]", "[8,8]"], ["full", "1", "2"]):
        verdict = widths(dict.fromkeys(levels, 0.5))
        assert by_number(verdict, verdict["tasks"][0]) is None
