"""The source of a search's jobs, with a carrier that knows the answer."""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
from optuna.study import Study
from optuna.trial import TrialState
from scipy.stats import wilcoxon
from sweep_folders import record_of

from experiments.errors.messages import UserError
from experiments.record.folder import is_asked_to_stop
from experiments.record.history import HistoryFile
from experiments.record.record import now, write_record
from experiments.sweep.grid import Cell, read_overrides
from experiments.sweep.jobs.job import Result
from experiments.sweep.plan import Job
from experiments.sweep.search.claimed_trial import ClaimedTrial
from experiments.sweep.search.options import Options
from experiments.sweep.search.samplers import pruner_of
from experiments.sweep.search.search_pictures import draw_history, draw_importances
from experiments.sweep.search.search_report import ranked, table_of
from experiments.sweep.search.space import space_of
from experiments.sweep.search.study import (
    FILE,
    SearchSpec,
    diverged,
    num_spared,
    open_study,
    result_of,
    value_of,
)
from experiments.sweep.search.trial_source import TrialSource

PLACE = Path("sweep")
TWO_NUMBERS = ("optim.lr=tag(log,interval(1e-5,1))", "width=int(interval(1,32))")


def spec_of(*typed: str, metric: str = "val/loss", **options: Any) -> SearchSpec:
    chosen = Options(**options)
    space = space_of(read_overrides(typed), [], lambda name: {}, chosen.sampler == "grid")
    return SearchSpec(space, chosen, metric, metric == "val/accuracy")


def study_of(spec: SearchSpec, max_epochs: int = 10) -> Study:
    return open_study(PLACE, "study", spec.higher, pruner_of(spec.options, max_epochs))


def jobs_of(num_seeds: int) -> Callable[[tuple[str, ...], bool], list[Job]]:
    numbers = iter(range(10_000))

    def jobs(overrides: tuple[str, ...], is_busy: bool) -> list[Job]:
        cells = [Cell((), (*overrides, f"seed={seed}")) for seed in range(num_seeds)]
        named = [hashlib.blake2b(str(c.swept).encode(), digest_size=8).hexdigest() for c in cells]
        return [
            Job(cell, {}, name, name, PLACE, next(numbers))
            for cell, name in zip(cells, named, strict=True)
        ]

    return jobs


def trials_of(spec: SearchSpec, num_seeds: int = 1, at_once: int = 2) -> TrialSource:
    return TrialSource(spec, study_of(spec), PLACE, jobs_of(num_seeds), at_once, lambda text: None)


def values_of(job: Job) -> dict[str, str]:
    return dict(override.split("=", 1) for override in job.cell.swept)


def bowl(job: Job) -> float:
    """A quadratic in log10 lr, least at 0.01, and in the width, least at 8; 0.1 per seed."""
    values = values_of(job)
    in_lr = (math.log10(float(values.get("optim.lr", 0.01))) + 2) ** 2
    return in_lr + (int(values.get("width", 8)) - 8) ** 2 / 100 + 0.1 * int(values["seed"])


def folder_of(job: Job) -> Path:
    folder = PLACE / f"{job.name}-{job.identity[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_run(job: Job, status: str, value: float | None, metric: str = "val/loss") -> Result:
    metrics = {} if value is None else {metric: value}
    record = record_of(
        identity=job.identity,
        status=status,
        metrics=metrics,
        duration_seconds=1.0,
        started_at=now(),
    )
    write_record(folder_of(job), record)
    return Result(status, str(folder_of(job)), "why" if status == "failed" else None)


Carry = Callable[[Job], Result]


def complete(job: Job) -> Result:
    return write_run(job, "completed", bowl(job))


def carry_out(trials: TrialSource, carry: Carry = complete, most: float = math.inf) -> list[Job]:
    """Carry out jobs as workers do: seats are filled first, and the first one in ends first."""
    working: list[Job] = []
    done: list[Job] = []
    while working or not trials.is_over:
        while (job := trials.take()) is not None:
            working.append(job)
        if len(done) >= most:
            return done
        if working:
            job = working.pop(0)
            done.append(job)
            trials.ended(job, carry(job))
        trials.look()
    return done


def best_of(study: Study) -> float:
    return min(trial.value for trial in study.get_trials() if trial.value is not None)


@pytest.mark.parametrize(
    ("sampler", "number", "within"),
    [("tpe", 25, 0.5), ("gp", 10, 1.0), ("cmaes", 25, 0.5), ("random", 25, 2.0)],
)
def test_every_sampler_comes_near_the_least_value(sampler: str, number: int, within: float) -> None:
    startup = {} if sampler == "random" else {"startup_trials": 5}
    spec = spec_of(*TWO_NUMBERS, sampler=sampler, n_trials=number, **startup)
    with trials_of(spec) as trials:
        jobs = carry_out(trials)
    assert len({job.identity for job in jobs}) == len(trials.study.get_trials()) == number
    assert best_of(trials.study) < within


def test_a_grid_is_tried_once_through() -> None:
    typed = ("optim=sgd,adam", "width=range(7,10)")
    spec = spec_of(*typed, sampler="grid", n_trials=20)
    with trials_of(spec) as trials:
        jobs = carry_out(trials)
    assert len({job.identity for job in jobs}) == len(jobs) == 6
    assert {trial.state for trial in trials.study.get_trials()} == {TrialState.COMPLETE}


def test_a_trial_is_the_mean_over_its_seeds() -> None:
    spec = spec_of(*TWO_NUMBERS, n_trials=3)
    with trials_of(spec, num_seeds=3) as trials:
        jobs = carry_out(trials)
    assert len(jobs) == 9
    for trial in trials.study.get_trials():
        scores = result_of(trial)["scores"]
        assert scores[2] - scores[0] == pytest.approx(0.2)
        assert trial.value == pytest.approx(scores[1])


def test_no_more_jobs_are_given_than_have_a_place_and_seeds_come_before_new_trials() -> None:
    with trials_of(spec_of(*TWO_NUMBERS), num_seeds=2, at_once=3) as trials:
        first, second, third = trials.take(), trials.take(), trials.take()
        assert trials.take() is None
        assert first is not None
        assert second is not None
        assert third is not None
        assert first.cell.without("seed") == second.cell.without("seed")
        assert first.cell.without("seed") != third.cell.without("seed")
        trials.put_back(third)
        assert trials.take() == third


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_a_search_that_was_dropped_goes_on_and_repeats_nothing(sampler: str) -> None:
    width = "width=range(1,4)" if sampler == "grid" else TWO_NUMBERS[1]
    lr = "optim.lr=0.1,0.01,0.001,0.0001" if sampler == "grid" else TWO_NUMBERS[0]
    spec = spec_of(lr, width, sampler=sampler, n_trials=12)
    with trials_of(spec) as dropped:
        before = carry_out(dropped, most=5)
    left = [t.params for t in dropped.of_study(TrialState.RUNNING)]
    assert len(left) == 2
    with trials_of(spec) as trials:
        after = carry_out(trials)
    assert len({job.identity for job in before + after}) == len(before) + len(after) == 12
    assert [t.state for t in trials.study.get_trials()] == [TrialState.COMPLETE] * 12
    assert [t.params for t in trials.study.get_trials()][5:7] == left
    more = spec_of(*TWO_NUMBERS, sampler="random" if sampler == "grid" else sampler, n_trials=14)
    if sampler != "grid":
        with trials_of(more) as trials:
            assert len(carry_out(trials)) == 2


def test_how_often_a_search_was_interrupted_does_not_change_what_it_draws() -> None:
    spec = spec_of(*TWO_NUMBERS, n_trials=14)
    study = study_of(spec)
    with TrialSource(spec, study, PLACE, jobs_of(1), 1, print) as trials:
        whole = [values_of(job) for job in carry_out(trials)]
    (PLACE / FILE).rename("whole.log")
    parts: list[dict[str, str]] = []
    for _ in range(14):
        with TrialSource(spec, study_of(spec), PLACE, jobs_of(1), 1, print) as trials:
            carry_out(trials, most=0)  # all runs are there already
            parts = [t.params for t in trials.study.get_trials()]
    assert [float(v["optim.lr"]) for v in whole] == pytest.approx(
        [p["optim.lr"] for p in parts], rel=1e-5
    )


def test_two_launchers_share_a_study_and_come_to_as_many_trials_as_one() -> None:
    spec = spec_of(*TWO_NUMBERS, n_trials=10)
    with trials_of(spec) as one, trials_of(spec) as other:
        done: list[Job] = []
        while not (one.is_over and other.is_over):
            for trials in (one, other):
                if (job := trials.take()) is not None:
                    done.append(job)
                    trials.ended(job, complete(job))
                trials.look()
    assert len({job.identity for job in done}) == len(done) == 10
    assert len(one.study.get_trials()) == 10


def test_a_launcher_waits_for_the_others_trials_and_takes_up_those_of_one_that_is_gone() -> None:
    spec = spec_of(*TWO_NUMBERS, n_trials=1)
    with trials_of(spec) as one:
        job = one.take()
        with trials_of(spec) as other:
            assert other.take() is None
            assert not other.is_over
            one.__exit__()
            again = other.take()
            assert again is not None
            assert job is not None
            assert again.identity == job.identity
            other.ended(again, complete(again))
            assert other.is_over


def test_half_an_entry_of_a_killed_launcher_does_not_spoil_the_journal() -> None:
    spec = spec_of(*TWO_NUMBERS, n_trials=3)
    with trials_of(spec) as trials:
        carry_out(trials)
    with (PLACE / FILE).open("a") as journal:
        journal.write('{"op_code": 4, "worker')
    with trials_of(spec_of(*TWO_NUMBERS, n_trials=5)) as trials:
        assert len(carry_out(trials)) == 2


@pytest.mark.parametrize(("sampler", "number"), [("tpe", 30), ("gp", 10), ("cmaes", 30)])
def test_a_diverged_trial_counts_as_the_worst_and_the_sampler_turns_away(
    sampler: str, number: int
) -> None:
    def carry(job: Job) -> Result:  # two of five decades diverge
        lr = math.log10(float(values_of(job)["optim.lr"]))
        return write_run(job, *(("diverged", None) if lr > -2 else ("completed", (lr + 3.5) ** 2)))

    spec = spec_of(*TWO_NUMBERS, sampler=sampler, n_trials=number, startup_trials=5)
    with trials_of(spec, at_once=1) as trials:
        carry_out(trials, carry)
    each = trials.study.get_trials()
    assert {trial.state for trial in each} == {TrialState.COMPLETE}
    assert any(diverged(trial) for trial in each)
    assert not any(diverged(trial) for trial in ranked(spec, trials.study))
    late = each[number // 2 :]
    assert sum(diverged(trial) for trial in late) <= len(late) / 5
    assert all(math.isfinite(trial.value or 0) for trial in each)


def test_where_all_have_diverged_there_is_no_worst() -> None:
    with trials_of(spec_of(*TWO_NUMBERS, n_trials=3)) as trials:
        carry_out(trials, lambda job: write_run(job, "diverged", None))
    assert {trial.state for trial in trials.study.get_trials()} == {TrialState.FAIL}
    with trials_of(spec_of(*TWO_NUMBERS, n_trials=3, metric="val/accuracy")) as trials:
        assert trials.is_over


def test_one_diverged_seed_of_two_makes_the_mean_worse_than_the_other() -> None:
    def carry(job: Job) -> Result:
        return write_run(job, "diverged", None) if values_of(job)["seed"] == "1" else complete(job)

    with trials_of(spec_of(*TWO_NUMBERS, n_trials=2), num_seeds=2) as trials:
        carry_out(trials, carry)
    for trial in trials.study.get_trials():
        scores = result_of(trial)["scores"]
        assert scores[1] is None
        assert trial.value > scores[0]


def test_a_failed_job_makes_the_trial_fail_and_the_search_goes_on() -> None:
    fails = iter([True, *[False] * 20])

    def carry(job: Job) -> Result:
        return write_run(job, "failed", None) if next(fails) else complete(job)

    spec = spec_of(*TWO_NUMBERS, n_trials=4)
    with trials_of(spec, num_seeds=3) as trials:
        jobs = carry_out(trials, carry)
        assert [result.outcome for _, result in trials.failed] == ["failed"]
    states = [trial.state for trial in trials.study.get_trials()]
    assert states == [TrialState.FAIL] + [TrialState.COMPLETE] * 3
    assert len(jobs) == 2 + 9  # two were at work; the third seed of a lost trial is not begun
    with trials_of(spec, num_seeds=3) as trials:
        assert carry_out(trials) == []
        [(_, result)] = trials.failed
        assert "sweep.retry_failed=true" in (result.message or "")
    again = SearchSpec(spec.space, spec.options, spec.metric, spec.higher, retry_failed=True)
    with trials_of(again, num_seeds=3) as trials:
        assert len(carry_out(trials)) == 2
    assert [trial.state for trial in trials.study.get_trials()][4] == TrialState.COMPLETE
    with trials_of(again, num_seeds=3) as trials:
        assert carry_out(trials) == []
        assert trials.failed == []


def test_a_run_without_the_metric_and_values_that_do_not_go_together_are_failures() -> None:
    with trials_of(spec_of(*TWO_NUMBERS, n_trials=2)) as trials:
        carry_out(trials, lambda job: write_run(job, "completed", 1.0, "val/mae"))
    assert all("no val/loss; it has val/mae" in result_of(t)["reason"] for t in trials.of_study())

    def refuse(overrides: tuple[str, ...], is_busy: bool) -> list[Job]:
        raise UserError("these do not fit")

    spec = spec_of(*TWO_NUMBERS, n_trials=4)
    with TrialSource(spec, study_of(spec), PLACE, refuse, 2, lambda text: None) as trials:
        carry_out(trials)
        assert trials.failed[-1][1] == Result("refused", message="these do not fit")
    assert len(trials.of_study(TrialState.FAIL)) == 4


def write_epochs(job: Job, values: list[float]) -> None:
    (folder_of(job) / "history.csv").unlink(missing_ok=True)
    history = HistoryFile(folder_of(job))
    for epoch, value in enumerate(values, start=1):
        row = {"epoch": epoch, "step": epoch, "train/loss": 1.0, "val/loss": value}
        history.append(row)


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_a_bad_trial_is_asked_to_stop_and_its_other_seeds_are_not_run(pruner: str) -> None:
    after = {"prune_after_trials": 2} if pruner == "median" else {}
    spec = spec_of(*TWO_NUMBERS, n_trials=8, sampler="random", pruner=pruner, **after)
    with trials_of(spec, num_seeds=3, at_once=1) as trials:
        for number in range(7):  # good ones, with their curves
            for _ in range(3):
                job = trials.take()
                assert job is not None, number
                write_epochs(job, [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])
                trials.ended(job, write_run(job, "completed", 0.2))
        bad = trials.take()
        assert bad is not None
        write_run(bad, "running", None)
        write_epochs(bad, [])
        trials.look()
        assert not is_asked_to_stop(folder_of(bad))
        write_epochs(bad, [5.0, 5.0, 5.0])
        trials.look()
        assert is_asked_to_stop(folder_of(bad))
        assert trials.take() is None
        assert not trials.is_over
        trials.ended(bad, write_run(bad, "pruned", 5.0))
        assert trials.is_over
    assert not is_asked_to_stop(folder_of(bad))
    last = trials.study.get_trials()[-1]
    assert last.state == TrialState.PRUNED
    assert max(last.intermediate_values.values()) == 5.0
    with trials_of(spec, num_seeds=3) as trials:
        assert carry_out(trials) == []


def test_an_epoch_is_told_when_all_seeds_at_work_have_reached_it() -> None:
    spec = spec_of(*TWO_NUMBERS, n_trials=1, pruner="median")
    with trials_of(spec, num_seeds=2) as trials:
        first, second = trials.take(), trials.take()
        assert first is not None
        assert second is not None
        for job, values in ((first, [0.4, 0.2, 0.1]), (second, [0.6])):
            write_run(job, "running", None)
            write_epochs(job, values)
        trials.look()
        [trial] = trials.of_study()
        assert trial.intermediate_values == {1: pytest.approx(0.5)}
        write_epochs(second, [0.6, 0.4, math.nan, 0.1])
        trials.look()
        [trial] = trials.of_study()
        assert trial.intermediate_values == {1: pytest.approx(0.5), 2: pytest.approx(0.3)}


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_a_run_that_is_over_is_judged_by_how_it_ended(pruner: str) -> None:
    spec = spec_of(*TWO_NUMBERS, n_trials=9, sampler="random", pruner=pruner)
    good, bad = [1.0, 0.9, 0.8, 0.7], [9.0, 9.0, 9.0, 9.0]
    with trials_of(spec, num_seeds=2, at_once=1) as trials:
        for curve in [good] * 7 + [[9.0, 0.1, 0.1, 0.1], bad]:
            for _ in range(2):
                job = trials.take()
                if job is None:
                    break
                write_epochs(job, curve)
                trials.ended(job, write_run(job, "completed", curve[-1]))
    *_, late, last = trials.of_study()
    assert (late.state, late.value) == (TrialState.COMPLETE, 0.1)
    # Epoch 4 is none at which Hyperband compares.
    assert last.state == (TrialState.PRUNED if pruner == "median" else TrialState.COMPLETE)


def test_a_run_that_was_done_before_it_heard_is_whole() -> None:
    spec = spec_of(
        *TWO_NUMBERS, n_trials=2, sampler="random", pruner="median", prune_after_trials=0
    )
    with trials_of(spec, at_once=1) as trials:
        for value in (0.1, 5.0):
            job = trials.take()
            assert job is not None
            write_epochs(job, [value, value])
            trials.ended(job, write_run(job, "completed", value))
    assert [trial.state for trial in trials.of_study()] == [TrialState.COMPLETE] * 2


def test_the_table_and_the_pictures_say_what_was_tried() -> None:
    typed = ("optim=sgd,adam", "optim.lr=tag(log,interval(1e-5,1))", "width=range(6,10)")
    spec = spec_of(*typed, n_trials=12)
    with trials_of(spec, num_seeds=2) as trials:
        carry_out(trials)
    each = trials.study.get_trials()
    header, *rows = table_of(spec, each, [0, 1]).splitlines()
    assert header == "trial,state,val/loss,optim,optim.lr,width,seed=0,seed=1,seconds,reason"
    assert len(rows) == 12
    assert rows[3].startswith(f"3,complete,{each[3].value},{each[3].params['optim']},")
    draw_history(spec, each, PLACE)
    draw_importances(spec, trials.study, PLACE)
    pictures = sorted(path.name for path in PLACE.glob("*.[ps][nv]g"))
    assert len(pictures) == 4
    assert all((PLACE / name).stat().st_size > 3000 for name in pictures)


def planted(job: Job) -> float:
    """Ten values of lr, of which 0.01 is the best one, with noise that every seed has of its own
    and that all values share."""
    lr, seed = float(values_of(job)["optim.lr"]), int(values_of(job)["seed"])
    own = math.sin(37.0 * seed + 1e4 * lr)
    return abs(math.log10(lr) + 2) + 0.5 * math.sin(5.0 * seed) + 0.01 * own


TEN = "optim.lr=0.01,0.1,1,10,100,0.001,1e-4,1e-5,1e-6,1e-7"


def carried_planted(pruner: str, at_once: int = 1, **options: Any) -> tuple[TrialSource, list[Job]]:
    spec = spec_of(TEN, sampler="grid", n_trials=10, pruner=pruner, **options)
    with trials_of(spec, num_seeds=8, at_once=at_once) as trials:
        jobs = carry_out(trials, lambda job: write_run(job, "completed", planted(job)))
    assert trials.is_over
    return trials, jobs


@pytest.mark.parametrize("at_once", [1, 3])
def test_wilcoxon_spares_the_seeds_of_bad_trials_and_comes_to_the_same_best(at_once: int) -> None:
    whole, every = carried_planted("none")
    best = ranked(whole.spec, whole.study)[0]
    shutil.rmtree(PLACE)
    trials, jobs = carried_planted("wilcoxon", at_once)
    assert len(every) == 80
    same = ranked(trials.spec, trials.study)[0]
    assert (best.params, best.value) == (same.params, same.value)
    assert best.params == {"optim.lr": "0.01"}
    each = trials.of_study()
    pruned = [trial for trial in each if trial.state == TrialState.PRUNED]
    assert len(pruned) >= 4
    # All differences of four seeds of one sign: p = 1/16, the first below 0.1.
    assert {len(result_of(trial)["scores"]) for trial in pruned} <= set(range(4, 4 + at_once))
    assert len(jobs) == 80 - num_spared(each, 8)
    assert num_spared(each, 8) >= len(pruned) * (5 - at_once)
    for trial in pruned:
        assert trial.number not in [t.number for t in ranked(trials.spec, trials.study)]
        assert value_of(trials.spec, trial) == pytest.approx(mean(result_of(trial)["scores"]))
        # What was at work when it was given up may have come to its end, and tells nothing more.
        told, had = trial.intermediate_values, dict(enumerate(result_of(trial)["scores"]))
        assert told.items() <= had.items()
        assert len(told) >= 4


def test_wilcoxon_decides_as_scipy_does_by_the_seeds_that_both_have_had() -> None:
    trials, _ = carried_planted("wilcoxon", p_threshold=0.02)
    each, best = trials.of_study(), None
    for trial in each:
        values = list(trial.intermediate_values.values())
        if best is not None:
            p = [
                wilcoxon(values[:n], best[:n], alternative="greater", zero_method="zsplit").pvalue
                for n in range(2, len(values) + 1)
            ]
            assert all(one >= 0.02 for one in p[:-1])
            assert (p[-1] < 0.02) == (trial.state == TrialState.PRUNED) or len(values) == 8
        if trial.state == TrialState.COMPLETE and (best is None or mean(values) < mean(best)):
            best = values
    assert {trial.state for trial in each} == {TrialState.COMPLETE, TrialState.PRUNED}


@pytest.mark.parametrize("most", [0, 3, 8, 11, 12, 15])
def test_wilcoxon_goes_on_where_it_was_dropped(most: int) -> None:
    _, once = carried_planted("wilcoxon")
    shutil.rmtree(PLACE)
    spec = spec_of(TEN, sampler="grid", n_trials=10, pruner="wilcoxon")

    def carry(job: Job) -> Result:
        return write_run(job, "completed", planted(job))

    with trials_of(spec, num_seeds=8, at_once=1) as dropped:
        before = carry_out(dropped, carry, most=most)
    with trials_of(spec, num_seeds=8, at_once=1) as trials:
        after = carry_out(trials, carry)
    assert [job.name for job in before + after] == [job.name for job in once]


def test_a_trial_that_was_given_up_in_the_last_moment_of_its_launcher_stays_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = spec_of(TEN, sampler="grid", n_trials=10, pruner="wilcoxon")

    def killed(*unused: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, trials_of(spec, num_seeds=8, at_once=1) as trials:
        patch.setattr(ClaimedTrial, "give_up", killed)
        with pytest.raises(KeyboardInterrupt):
            carry_out(trials, lambda job: write_run(job, "completed", planted(job)))
    number = max(trial.number for trial in trials.of_study())
    with trials_of(spec, num_seeds=8, at_once=1) as again:
        job = again.take()
    state = again.of_study()[number].state
    assert state == TrialState.PRUNED
    assert job is not None
    assert int(values_of(job)["seed"]) == 0


def test_wilcoxon_stops_the_seeds_that_are_at_work() -> None:
    spec = spec_of(TEN, sampler="grid", n_trials=2, pruner="wilcoxon")
    with trials_of(spec, num_seeds=8, at_once=2) as trials:
        for _ in range(8):
            job = trials.take()
            assert job is not None
            trials.ended(job, write_run(job, "completed", 0.1))
        working = [trials.take(), trials.take()]
        for number in range(4):
            job = working.pop(0)
            assert job is not None
            trials.ended(job, write_run(job, "completed", 5.0))
            if number < 3:
                working.append(trials.take())
        [last] = working
        assert last is not None
        assert trials.take() is None
        write_run(last, "running", None)  # its folder was not there yet when it was given up
        trials.look()
        assert is_asked_to_stop(folder_of(last))
        trials.ended(last, write_run(last, "pruned", 5.0))
        assert trials.is_over
    *_, bad = trials.of_study()
    assert bad.state == TrialState.PRUNED
    assert result_of(bad)["scores"] == [5.0] * 4
    assert result_of(bad)["reason"] == "after 4 of 8 seeds"


def test_wilcoxon_counts_a_diverged_seed_as_the_worst_and_the_best_trial_has_every_step() -> None:
    def carry(job: Job) -> Result:
        values = values_of(job)
        diverges = values["optim.lr"] == "0.1" or (values["optim.lr"], values["seed"]) == (
            "0.01",
            "0",
        )
        value = 1.0 if values["optim.lr"] == "0.01" else 2.0 + 0.01 * int(values["seed"])
        return write_run(job, *(("diverged", None) if diverges else ("completed", value)))

    spec = spec_of("optim.lr=0.01,0.1,1,10", sampler="grid", n_trials=4, pruner="wilcoxon")
    with trials_of(spec, num_seeds=8, at_once=1) as trials:
        jobs = carry_out(trials, carry)
    by_lr = {trial.params["optim.lr"]: trial for trial in trials.of_study()}
    assert sorted(by_lr["0.01"].intermediate_values) == list(range(8))
    assert all(math.isfinite(v) for t in by_lr.values() for v in t.intermediate_values.values())
    assert by_lr["0.1"].state == TrialState.PRUNED or by_lr["0.1"].number == 0
    assert len(jobs) < 32


def test_equal_values_of_every_seed_are_no_reason_to_prune() -> None:
    spec = spec_of(TEN, metric="val/accuracy", sampler="grid", n_trials=3, pruner="wilcoxon")
    with trials_of(spec, num_seeds=6, at_once=1) as trials:
        jobs = carry_out(
            trials, lambda job: write_run(job, "completed", 0.5, metric="val/accuracy")
        )
    assert len(jobs) == 18
    assert {trial.state for trial in trials.of_study()} == {TrialState.COMPLETE}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # Twelve trials of two seeds: all at once where none depends on another's result.
        ({"sampler": "random"}, 24),
        # Ten at random, and then no more than the launcher has seats for the seeds of a trial.
        ({"sampler": "tpe"}, 20),
        ({"sampler": "tpe", "startup_trials": 3}, 6),
        ({"sampler": "cmaes"}, 4),
    ],
)
def test_trials_that_depend_on_no_other_are_drawn_at_once(
    options: dict[str, Any], expected: int
) -> None:
    spec = spec_of(*TWO_NUMBERS, n_trials=12, **options)
    at_once, at_random = 4, 100
    with TrialSource(
        spec, study_of(spec), PLACE, jobs_of(2), at_once, lambda text: None, at_random
    ) as source:
        jobs = list(iter(source.take, None))
        assert len(jobs) == expected
        for job in jobs:
            source.ended(job, complete(job))
        left = 24 - expected
        assert len(list(iter(source.take, None))) == min(left, at_once)
