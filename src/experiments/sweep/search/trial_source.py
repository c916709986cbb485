"""Where the jobs of a search come from: the study is asked for a trial whenever a seat is free.

Every number that is drawn, and every trial that ends, is in the journal at once. A launcher that
is killed loses nothing: its trials are `RUNNING` there without anybody's claim, and the next
launcher takes them up with the same values, whose runs go on where they were.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import optuna
from optuna.samplers import RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from experiments.config.overrides import label
from experiments.errors.messages import UserError
from experiments.record.claim import CLAIMS, claim, is_claimed
from experiments.record.lock import Lock
from experiments.record.metric import written
from experiments.sweep.jobs.job import Result
from experiments.sweep.plan import Job
from experiments.sweep.search.claimed_trial import ClaimedTrial, SeedRun, worse_than_all
from experiments.sweep.search.options import NEEDS_A_FIXED_SPACE, WILCOXON
from experiments.sweep.search.samplers import on_one_thread, sampler_of
from experiments.sweep.search.study import (
    RESULT,
    RETRIES,
    SearchSpec,
    counted,
    diverged,
    result_of,
)


@dataclass
class TrialSource:
    """The source of a search's jobs; a context, at whose end its claims are given back.

    Attributes:
        jobs_of: gives the jobs of a trial from its overrides, one for each seed; None where it
            cannot while other jobs are at work, of which it is told.
        at_once: how many jobs may be at work.
        tell: prints a line.
        at_once_at_random: the same while trials are drawn that depend on no other's result.
        left: the numbers of interrupted trials, for the next launcher.
    """

    spec: SearchSpec
    study: Study
    sweep_dir: Path
    jobs_of: Callable[[tuple[str, ...], bool], list[Job] | None]
    at_once: int
    tell: Callable[[str], None] = print
    at_once_at_random: int = 0
    trials: list[ClaimedTrial] = field(default_factory=list, init=False)
    left: set[int] = field(default_factory=set, init=False)
    failed: list[tuple[str, Result]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        claims = self.sweep_dir / CLAIMS
        claims.mkdir(parents=True, exist_ok=True)
        self.lock = Lock(claims / f"{self.study.study_name}.lock")

    def __enter__(self) -> TrialSource:
        with self.lock:
            self.look_at_failed()
        return self

    def look_at_failed(self) -> None:
        """Have every trial that failed before tried again, or told of."""
        again = {trial.user_attrs.get(RETRIES) for trial in self.of_study()}
        for trial in self.of_study(TrialState.FAIL):
            if trial.number in again or diverged(trial):
                continue
            if self.spec.retry_failed:
                attributes = {RETRIES: trial.number}
                self.study.enqueue_trial(dict(trial.params), user_attrs=attributes)
            else:
                reason = result_of(trial).get("reason")
                message = f"{reason} (before; sweep.retry_failed=true tries it again)"
                self.failed.append((f"trial {trial.number}", Result("failed", message=message)))

    def __exit__(self, *unused: object) -> None:
        for trial in self.trials:
            trial.claim.close()

    def take(self) -> Job | None:
        """Return the next job, beginning a trial where those at work have none left."""
        if len(self.working) >= self.room:
            return None
        while True:
            for trial in self.trials:
                for run in trial.waiting:
                    if run.job.identity not in self.working:
                        run.state = "working"
                        return run.job
            if not self.begin():
                return None

    @property
    def room(self) -> int:
        """How many jobs may be at work now: a sampler that learns waits for what it learns from."""
        if self.at_once_at_random <= self.at_once:
            return self.at_once
        left = self.spec.options.num_at_random - len(counted(self.of_study()))
        # The last of them has been drawn, and waits for further seeds.
        has_seeds_left = left == 0 and any(trial.waiting for trial in self.trials)
        return self.at_once_at_random if left > 0 or has_seeds_left else self.at_once

    def put_back(self, job: Job) -> None:
        for _, run in self.runs_of(job.identity):
            run.state = "waiting"

    @property
    def is_over(self) -> bool:
        """Whether nothing is left, here or at another launcher's."""
        if self.trials or self.spec.num_missing(self.of_study()) > 0:
            return False
        still_open = self.of_study(TrialState.RUNNING, TrialState.WAITING)
        return all(trial.number in self.left for trial in still_open)

    def ended(self, job: Job, result: Result) -> None:
        for trial, run in self.runs_of(job.identity):
            if result.outcome == "taken":
                run.state = "elsewhere"
                continue
            run.end(result)
            trial.is_given_up |= result.outcome == "pruned"
            if result.came_to_nothing:
                self.failed.append((job.name, result))
            # Before its next seed is begun, which a bad trial does not get.
            self.follow(trial)
        self.settle()

    def look(self) -> None:
        """See how far the runs have come, and whether others have ended theirs."""
        for trial in self.trials:
            for run in trial.runs:
                if run.state == "elsewhere":
                    run.look_on_disk(also_failed=True)
                    if run.is_at_work and not is_claimed(self.sweep_dir, run.job.identity):
                        run.state = "waiting"
            self.follow(trial)
        self.settle()

    def follow(self, trial: ClaimedTrial) -> None:
        """Tell the study how far the runs of a trial have come, where it is to prune."""
        if self.spec.options.pruner == WILCOXON:
            trial.report_seeds(self.spec.metric, self.worst_beside(trial))
        elif self.spec.options.pruner != "none":
            trial.report(self.spec.metric, self.spec.options.prune_every_epochs or 1)

    @property
    def working(self) -> set[str]:
        runs = (run for trial in self.trials for run in trial.runs)
        return {run.job.identity for run in runs if run.state == "working"}

    def of_study(self, *states: TrialState) -> list[FrozenTrial]:
        """Return the study's trials in some states, by default in all."""
        return self.study.get_trials(deepcopy=False, states=states or None)

    def runs_of(self, identity: str) -> Iterable[tuple[ClaimedTrial, SeedRun]]:
        """Yield the runs at work of this identity; two trials may have drawn the same values."""
        for trial in self.trials:
            for run in trial.runs:
                if run.job.identity == identity and run.state != "ended":
                    yield trial, run

    def begin(self) -> bool:
        """Begin a trial, or go on with one that was left; False where there is none."""
        with self.lock:
            begun = self.adopt() or self.draw()
        if begun:
            self.settle()
        return begun

    def adopt(self) -> bool:
        """Go on with a trial whose launcher is gone; False where there is none."""
        ours = {trial.optuna_trial.number for trial in self.trials} | self.left
        for frozen in self.of_study(TrialState.RUNNING):
            if frozen.number in ours or (stack := self.claim_of(frozen.number)) is None:
                continue
            # Its launcher may have ended it a moment ago, and given back its claim.
            if frozen.number in {still.number for still in self.of_study(TrialState.RUNNING)}:
                # What it has not drawn yet is drawn at random, which it learns from no less.
                self.study.sampler = RandomSampler(seed=frozen.number)
                optuna_trial = optuna.Trial(self.study, frozen._trial_id)
                return self.start(optuna_trial, stack, frozen.intermediate_values)
            stack.close()
        return False

    def draw(self) -> bool:
        """Ask the study for a trial; False where it has all."""
        trials, grid = self.of_study(), self.spec.grid
        if not any(trial.state == TrialState.WAITING for trial in trials):
            if self.spec.num_missing(trials) <= 0:
                return False
            if grid is not None:
                self.study.enqueue_trial(grid[len(counted(trials))])
        conditional = self.spec.space.is_conditional
        self.study.sampler = sampler_of(self.spec.options, conditional, len(trials))
        with on_one_thread(self.spec.options.sampler):
            optuna_trial = self.study.ask()
            stack = self.claim_of(optuna_trial.number)
            assert stack is not None, "nobody else can know of it"
            return self.start(optuna_trial, stack)

    def claim_of(self, number: int) -> contextlib.ExitStack | None:
        """Claim a trial; None where another launcher has it."""
        stack = contextlib.ExitStack()
        name = f"{self.study.study_name}-{number}"
        if stack.enter_context(claim(self.sweep_dir, name)):
            return stack
        stack.close()
        return None

    def start(
        self, optuna_trial: optuna.Trial, stack: contextlib.ExitStack, told: Collection[int] = ()
    ) -> bool:
        """Have a trial draw its values, and find out what is there of its runs.

        False where it has to wait; it is taken up again when nothing is at work. The study has been
        told of the steps `told` by the launcher before.
        """
        all_of_them = self.spec.options.sampler in NEEDS_A_FIXED_SPACE
        params = self.spec.space.draw(optuna_trial, all_of_them)
        overrides = self.spec.space.overrides(params)
        trial = ClaimedTrial(optuna_trial, params, [], stack, max(told, default=0), set(told))
        try:
            jobs = self.jobs_of(overrides, bool(self.working))
        except UserError as error:
            self.failed.append((label(overrides), Result("refused", message=str(error))))
            self.write(trial, TrialState.FAIL, [], reason=str(error))
            stack.close()
            return True
        if jobs is None:
            stack.close()
            return False
        trial.runs = [SeedRun(job) for job in jobs]
        for run in trial.runs:
            run.look_on_disk(also_failed=not self.spec.retry_failed)
            trial.is_given_up |= run.result is not None and run.result.outcome == "pruned"
        self.trials.append(trial)
        # One that was left may have been given up by a launcher that had no time to say so.
        self.follow(trial)
        return True

    def settle(self) -> None:
        for trial in list(self.trials):
            if trial.is_at_its_end and self.end(trial):
                self.trials.remove(trial)
                trial.claim.close()

    def end(self, trial: ClaimedTrial) -> bool:
        """Tell the study what a trial came to; False where that cannot be known yet."""
        metric = self.spec.metric
        if "interrupted" in trial.outcomes:
            self.left.add(trial.optuna_trial.number)
            return True
        self.follow(trial)
        scores = trial.scores(metric)
        if (reason := trial.why_failed(metric)) is not None:
            self.write(trial, TrialState.FAIL, scores, reason=reason)
        elif len(scores) < len(trial.runs):
            had = f"after {len(scores)} of {len(trial.runs)} seeds"
            self.write(trial, TrialState.PRUNED, scores, reason=had)
        else:
            return self.complete(trial, scores)
        return True

    def complete(self, trial: ClaimedTrial, scores: list[float | None]) -> bool:
        """Tell the study the mean over the seeds, for which a diverged trial counts as the worst.

        While nothing else has ended there is no worst; then it has to wait.
        """
        finite = [score for score in scores if score is not None]
        worst = self.worst_beside(trial)
        if finite == scores:
            self.write(trial, TrialState.COMPLETE, scores, fmean(finite))
        elif worst is not None:
            mean = fmean(worst if score is None else score for score in scores)
            self.write(trial, TrialState.COMPLETE, scores, mean, "diverged")
        else:
            at_work = any(not other.is_at_its_end for other in self.trials)
            if at_work or self.spec.num_missing(self.of_study()) > 0:
                return False
            self.write(trial, TrialState.FAIL, scores, reason="diverged, as all others did")
        return True

    def worst_beside(self, trial: ClaimedTrial) -> float | None:
        """Return what a diverged seed of a trial counts as; None while nothing has ended."""
        done = [frozen for frozen in self.of_study(TrialState.COMPLETE) if not diverged(frozen)]
        values = [frozen.value for frozen in done if frozen.value is not None]
        values += [score for score in trial.scores(self.spec.metric) if score is not None]
        return worse_than_all(values, self.spec.higher, self.spec.metric)

    def write(
        self,
        trial: ClaimedTrial,
        state: TrialState,
        scores: list[float | None],
        value: float | None = None,
        reason: str | None = None,
    ) -> None:
        """Write the end of a trial into the study."""
        kept: dict[str, Any] = {"scores": scores, "seconds": trial.seconds, "reason": reason}
        trial.optuna_trial.set_user_attr(RESULT, kept)
        self.study.tell(trial.optuna_trial, value, state=state, skip_if_finished=True)
        if len(trial.runs) != 1:  # else whoever carries out its job has said all of this
            outcome = f"{self.spec.metric} {written(value)}  " if value is not None else ""
            outcome += f"{reason}  " if reason else ""
            named = ", ".join(self.spec.space.overrides(trial.params))
            self.tell(
                f"trial {trial.optuna_trial.number}: {state.name.lower()}  {outcome}({named})"
            )
