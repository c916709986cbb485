"""Where the jobs of a search come from: the study is asked for a trial whenever a seat is free.

Every number that is drawn, and every trial that ends, is in the journal at once. A launcher that
is killed loses nothing: its trials are `RUNNING` there without anybody's claim, and the next
launcher takes them up with the same values, whose runs go on where they were.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import fmean
from typing import Any

import optuna
from filelock import FileLock
from optuna.samplers import RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from experiments.claims import CLAIMS, claim, is_claimed
from experiments.errors import UserError
from experiments.folders import slug
from experiments.sweep.asked import RESULT, RETRIES, Asked, counted, diverged, result_of
from experiments.sweep.job import Result
from experiments.sweep.plan import Job
from experiments.sweep.study import on_one_thread, sampler_of
from experiments.sweep.trial import SeedRun, Trial, worse_than_all

JobsOf = Callable[[tuple[str, ...], bool], list[Job] | None]


class Trials:
    """The source of a search's jobs; a context, at whose end its claims are given back.

    Args:
        asked: what is searched.
        study: where it is written down.
        sweep_dir: where the runs are.
        jobs_of: gives the jobs of a trial from its overrides, one for each seed; None where it
            cannot while other jobs are at work, of which it is told.
        at_once: how many jobs may be at work.
        tell: prints a line.
    """

    def __init__(
        self,
        asked: Asked,
        study: Study,
        sweep_dir: Path,
        jobs_of: JobsOf,
        at_once: int,
        tell: Callable[[str], None] = print,
    ) -> None:
        self.asked = asked
        self.study = study
        self.sweep_dir = sweep_dir
        self.jobs_of = jobs_of
        self.at_once = at_once
        self.tell = tell
        self.trials: list[Trial] = []
        self.left: set[int] = set()
        self.failed: list[tuple[str, Result]] = []
        (sweep_dir / CLAIMS).mkdir(parents=True, exist_ok=True)
        self.lock = FileLock(sweep_dir / CLAIMS / f"{study.study_name}.lock")

    def __enter__(self) -> Trials:
        with self.lock:
            self.look_at_failed()
        return self

    def look_at_failed(self) -> None:
        """Have every trial that failed before tried again, or told of."""
        again = {trial.user_attrs.get(RETRIES) for trial in self.of_study()}
        for trial in self.of_study(TrialState.FAIL):
            if trial.number in again or diverged(trial):
                continue
            if self.asked.retry_failed:
                attributes = {RETRIES: trial.number}
                self.study.enqueue_trial(dict(trial.params), user_attrs=attributes)
            else:
                reason = result_of(trial).get("reason")
                message = f"{reason} (before; sweep.retry_failed=true tries it again)"
                self.failed.append((f"trial {trial.number}", Result("failed", message=message)))

    def __exit__(self, *unused: object) -> None:
        for one in self.trials:
            one.claim.close()

    def take(self) -> Job | None:
        """Return the next job, beginning a trial where those at work have none left."""
        if len(self.working) >= self.at_once:
            return None
        while True:
            for one in self.trials:
                for run in one.waiting:
                    if run.job.identity not in self.working:
                        run.state = "working"
                        return run.job
            if not self.begin():
                return None

    def put_back(self, job: Job) -> None:
        """Take back a job for which there was no place."""
        for _, run in self.runs_of(job.identity):
            run.state = "waiting"

    @property
    def is_over(self) -> bool:
        """Whether nothing is left, here or at another launcher's."""
        if self.trials or self.asked.num_missing(self.of_study()) > 0:
            return False
        open_ones = self.of_study(TrialState.RUNNING, TrialState.WAITING)
        return all(trial.number in self.left for trial in open_ones)

    def ended(self, job: Job, result: Result) -> None:
        """Hear what became of a job."""
        for one, run in self.runs_of(job.identity):
            if result.outcome == "taken":
                run.state = "elsewhere"
                continue
            one.end_run(run, result)
            if result.outcome in ("failed", "refused", "interrupted"):
                self.failed.append((job.name, result))
            # Before its next seed is begun, which a bad trial does not get.
            self.follow(one)
        self.settle()

    def look(self) -> None:
        """See how far the runs have come, and whether others have ended theirs."""
        for one in self.trials:
            for run in one.runs:
                if run.state == "elsewhere":
                    run.look_on_disk(also_failed=True)
                    if run.is_at_work and not is_claimed(self.sweep_dir, run.job.identity):
                        run.state = "waiting"
            self.follow(one)
        self.settle()

    def follow(self, one: Trial) -> None:
        """Tell the study how far the runs of a trial have come, where it is to prune."""
        if self.asked.options.pruner != "none":
            one.report(self.asked.metric, self.asked.options.prune_every_epochs or 1)

    @property
    def working(self) -> set[str]:
        """The identities of the jobs at work here."""
        runs = (run for one in self.trials for run in one.runs)
        return {run.job.identity for run in runs if run.state == "working"}

    def of_study(self, *states: TrialState) -> list[FrozenTrial]:
        """Return the study's trials in some states, by default in all."""
        return self.study.get_trials(deepcopy=False, states=states or None)

    def runs_of(self, identity: str) -> Iterable[tuple[Trial, SeedRun]]:
        """Yield the runs at work of this identity; two trials may have drawn the same values."""
        for one in self.trials:
            for run in one.runs:
                if run.job.identity == identity and run.state != "ended":
                    yield one, run

    def begin(self) -> bool:
        """Begin a trial, or go on with one that was left; False where there is none."""
        with self.lock:
            begun = self.adopt() or self.draw()
        if begun:
            self.settle()
        return begun

    def adopt(self) -> bool:
        """Go on with a trial whose launcher is gone; False where there is none."""
        ours = {one.asked.number for one in self.trials} | self.left
        for frozen in self.of_study(TrialState.RUNNING):
            if frozen.number in ours or (stack := self.claimed(frozen.number)) is None:
                continue
            # Its launcher may have ended it a moment ago, and given back its claim.
            if any(frozen.number == one.number for one in self.of_study(TrialState.RUNNING)):
                # What it has not drawn yet is drawn at random, which it learns from no less.
                self.study.sampler = RandomSampler(seed=frozen.number)
                asked = optuna.Trial(self.study, frozen._trial_id)
                return self.start(asked, stack, frozen.last_step or 0)
            stack.close()
        return False

    def draw(self) -> bool:
        """Ask the study for a trial; False where it has all."""
        trials, grid = self.of_study(), self.asked.grid
        if not any(trial.state == TrialState.WAITING for trial in trials):
            if self.asked.num_missing(trials) <= 0:
                return False
            if grid is not None:
                self.study.enqueue_trial(grid[len(counted(trials))])
        conditional = self.asked.space.is_conditional
        self.study.sampler = sampler_of(self.asked.options, conditional, len(trials))
        with on_one_thread(self.asked.options.sampler):
            asked = self.study.ask()
            stack = self.claimed(asked.number)
            assert stack is not None, "nobody else can know of it"
            return self.start(asked, stack)

    def claimed(self, number: int) -> contextlib.ExitStack | None:
        """Claim a trial; None where another launcher has it."""
        stack = contextlib.ExitStack()
        name = f"{self.study.study_name}-{number}"
        if stack.enter_context(claim(self.sweep_dir, name)):
            return stack
        stack.close()
        return None

    def start(self, asked: optuna.Trial, stack: contextlib.ExitStack, reported: int = 0) -> bool:
        """Have a trial draw its values, and find out what is there of its runs.

        False where it has to wait; it is taken up again when nothing is at work.
        """
        params = self.asked.space.draw(asked, self.asked.options.has_fixed_space)
        overrides = self.asked.space.overrides(params)
        one = Trial(asked, params, [], stack, reported)
        try:
            jobs = self.jobs_of(overrides, bool(self.working))
        except UserError as error:
            self.failed.append((slug(list(overrides)), Result("refused", message=str(error))))
            self.write(one, TrialState.FAIL, [], reason=str(error))
            stack.close()
            return True
        if jobs is None:
            stack.close()
            return False
        one.runs = [SeedRun(job) for job in jobs]
        for run in one.runs:
            run.look_on_disk(also_failed=not self.asked.retry_failed)
            one.is_given_up |= run.result is not None and run.result.outcome == "pruned"
        self.trials.append(one)
        return True

    def settle(self) -> None:
        """Tell the study of the trials that are at their end."""
        for one in list(self.trials):
            if one.is_at_its_end and self.end(one):
                self.trials.remove(one)
                one.claim.close()

    def end(self, one: Trial) -> bool:
        """Tell the study what a trial came to; False where that cannot be known yet."""
        metric = self.asked.metric
        if "interrupted" in one.outcomes:
            self.left.add(one.asked.number)  # for the next launcher
            return True
        self.follow(one)
        scores = one.scores(metric)
        if (reason := one.why_failed(metric)) is not None:
            self.write(one, TrialState.FAIL, scores, reason=reason)
        elif len(scores) < len(one.runs):
            self.write(one, TrialState.PRUNED, scores)
        else:
            return self.complete(one, scores)
        return True

    def complete(self, one: Trial, scores: list[float | None]) -> bool:
        """Tell the study the mean over the seeds, for which a diverged one counts as the worst.

        While nothing else has ended there is no worst; then it has to wait.
        """
        known = [trial for trial in self.of_study(TrialState.COMPLETE) if not diverged(trial)]
        finite = [score for score in scores if score is not None]
        values = finite + [trial.value for trial in known if trial.value is not None]
        worst = worse_than_all(values, self.asked.higher, self.asked.metric)
        if finite == scores:
            self.write(one, TrialState.COMPLETE, scores, fmean(finite))
        elif worst is not None:
            mean = fmean(worst if score is None else score for score in scores)
            self.write(one, TrialState.COMPLETE, scores, mean, "diverged")
        else:
            at_work = any(not other.is_at_its_end for other in self.trials)
            if at_work or self.asked.num_missing(self.of_study()) > 0:
                return False
            self.write(one, TrialState.FAIL, scores, reason="diverged, as all others did")
        return True

    def write(
        self,
        one: Trial,
        state: TrialState,
        scores: list[float | None],
        value: float | None = None,
        reason: str | None = None,
    ) -> None:
        """Write the end of a trial into the study."""
        kept: dict[str, Any] = {"scores": scores, "seconds": one.seconds, "reason": reason}
        one.asked.set_user_attr(RESULT, kept)
        self.study.tell(one.asked, value, state=state, skip_if_finished=True)
        if len(one.runs) != 1:  # else whoever carries out its job has said all of this
            told = f"{self.asked.metric} {value:.4f}  " if value is not None else ""
            told += f"{reason}  " if reason else ""
            named = ", ".join(self.asked.space.overrides(one.params))
            self.tell(f"trial {one.asked.number}: {state.name.lower()}  {told}({named})")
