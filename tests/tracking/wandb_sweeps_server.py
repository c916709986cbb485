"""The part of W&B's server that has sweeps: `wandb sweep` registers them, `wandb agent` asks on.

Runs are proposed and stopped by the package `sweeps`, which is what W&B's own server uses, from
what the runs have told of themselves: their configs and their histories.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

with warnings.catch_warnings():
    # It is written for pydantic 1.
    warnings.simplefilter("ignore")
    import sweeps

if TYPE_CHECKING:
    from tracking.wandb_server import Seen


@dataclass
class Sweep:
    """A sweep.

    Attributes:
        text: its YAML, as the client sent it.
        runs: by id, the parameters that were proposed.
        earlier: finished runs that no agent of ours has carried out.
        stopped: ids of the runs that an agent was told to stop.
    """

    text: str
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    earlier: list[sweeps.SweepRun] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)

    @property
    def config(self) -> dict[str, Any]:
        """What `sweeps` takes: its schema is older than `run_cap`."""
        config = yaml.safe_load(self.text)
        return {key: value for key, value in config.items() if key != "run_cap"}


def state_of(run_id: str, sweep: Sweep, seen: Seen) -> sweeps.SweepRun:
    """Return a run as the search sees it: by the config and history that it has sent itself."""
    sent = seen.runs.get(run_id, {}).get("config")
    exit_code = seen.exit_codes.get(run_id)
    return sweeps.SweepRun(
        name=run_id,
        config=json.loads(sent) if sent else sweep.runs[run_id],
        state="running" if exit_code is None else "failed" if exit_code else "finished",
        sampledHistory=seen.history(run_id) if run_id in seen.stream else [],
        summaryMetrics=seen.summary(run_id) if run_id in seen.stream else {},
    )


def commands(sweep: Sweep, name: str, running: list[str], seen: Seen) -> list[dict[str, Any]]:
    """Return what an agent shall do next: start a run, stop one, wait, or leave."""
    known = [*sweep.earlier, *(state_of(run_id, sweep, seen) for run_id in sweep.runs)]
    if running:
        poor = sweeps.stop_runs(sweep.config, known) if "early_terminate" in sweep.config else []
        to_stop = [run.name for run in poor if run.name in running]
        sweep.stopped += [run_id for run_id in to_stop if run_id not in sweep.stopped]
        return [{"type": "stop", "run_id": run_id} for run_id in to_stop]
    proposed = sweeps.next_run(sweep.config, known)
    if proposed is None:
        return [{"type": "exit"}]
    run_id = f"{name}run{len(sweep.runs)}"
    sweep.runs[run_id] = json.loads(json.dumps(proposed.config))
    program = sweep.config["program"]
    return [{"type": "run", "run_id": run_id, "program": program, "args": sweep.runs[run_id]}]


def answer(operation: str, variables: dict[str, Any], seen: Seen) -> dict[str, Any] | None:
    """Return the data of a GraphQL answer, or None for an operation that is not known here."""
    project = {"id": "p", "name": "experiments", "entity": {"id": "e", "name": "me"}}
    if operation == "UpsertSweep":
        name = f"sweep{len(seen.sweeps)}"
        seen.sweeps[name] = Sweep(variables["config"])
        warned = sweeps.schema_violations_from_proposed_config(seen.sweeps[name].config)
        sweep = {"name": name, "project": project}
        return {"upsertSweep": {"sweep": sweep, "configValidationWarnings": warned}}
    if operation == "SweepWithRuns":
        name = variables["sweep"]
        sweep = {"id": name, "name": name, "config": seen.sweeps[name].text, "runs": {"edges": []}}
        return {"project": {"sweep": sweep}}
    if operation == "CreateAgent":
        return {"createAgent": {"agent": {"id": variables["sweep"]}}}
    if operation == "Heartbeat":
        name, running = variables["id"], list(json.loads(variables["runState"]))
        told = json.dumps(commands(seen.sweeps[name], name, running, seen))
        return {"agentHeartbeat": {"agent": {"id": name}, "commands": told}}
    return None
