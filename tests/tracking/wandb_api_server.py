"""The part of W&B's server that is asked by readers: its public API, artifacts and workspaces."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracking.wandb_server import Seen

MOST_ROWS = 1000
"""Rows of a history that one answer holds."""


def state_of(run_id: str, seen: Seen) -> str:
    """Return W&B's state of a run."""
    exit_code = seen.exit_codes.get(run_id)
    return "running" if exit_code is None else "failed" if exit_code else "finished"


def node_of(run_id: str, seen: Seen, whole: bool) -> dict[str, Any]:
    """Return a run as a page of runs has it, or as a page without configs and summaries has it."""
    sent = seen.runs[run_id]
    rows = seen.history(run_id) if run_id in seen.stream else []
    node = {
        "id": f"storage-{run_id}",
        "projectId": "7",
        "name": run_id,
        "displayName": sent.get("displayName") or run_id,
        "tags": sent.get("tags") or [],
        "group": sent.get("groupName"),
        "jobType": sent.get("jobType"),
        "notes": sent.get("notes"),
        "state": state_of(run_id, seen),
        "sweepName": sent.get("sweep"),
        "createdAt": "2026-11-27T00:00:00",
        "heartbeatAt": "2026-11-27T00:00:00",
        "description": None,
        "commit": None,
        "readOnly": False,
        "historyLineCount": len(rows),
        "user": {"name": "me", "username": "me"},
    }
    if not whole:
        return node
    summary = seen.summary(run_id) if run_id in seen.stream else {}
    return node | {
        "config": sent.get("config") or "{}",
        "summaryMetrics": json.dumps(summary),
        "systemMetrics": "{}",
        "historyKeys": keys_of(rows),
    }


def keys_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what W&B knows of a history without reading it."""
    return {"lastStep": max((row["_step"] for row in rows), default=-1), "keys": {}}


def fits(sent: dict[str, Any], filters: dict[str, Any]) -> bool:
    """Return whether a run fits filters in the language of MongoDB, as much of it as is used."""
    assert set(filters) <= {"$or"}, filters
    choices = filters.get("$or", [{}])
    return any(all(sent.get(k) == v for k, v in choice.items()) for choice in choices)


def runs_page(query: str, variables: dict[str, Any], seen: Seen) -> dict[str, Any]:
    """Return a page of a project's runs that fit the filters, behind the one that was seen last."""
    ids = [i for i in seen.runs if fits(seen.runs[i], json.loads(variables["filters"]))]
    start = int(variables.get("cursor") or 0)
    end = start + variables["perPage"]
    edges = [
        {"node": node_of(run_id, seen, "...RunFragment" in query), "cursor": str(number)}
        for number, run_id in enumerate(ids[start:end], start + 1)
    ]
    return {
        "internalId": "7",
        "runCount": len(ids),
        "readOnly": False,
        "runs": {
            "edges": edges,
            "pageInfo": {"endCursor": str(end), "hasNextPage": end < len(ids)},
        },
    }


def history_page(variables: dict[str, Any], seen: Seen) -> list[str]:
    """Return the rows of a history between two steps, as many as one answer holds."""
    run_id, low, high = variables["run"], variables["minStep"], variables["maxStep"]
    rows = [row for row in seen.history(run_id) if low <= row["_step"] < high]
    return [json.dumps(row) for row in rows[: min(variables["pageSize"], MOST_ROWS)]]


def upsert_view(variables: dict[str, Any], seen: Seen) -> dict[str, Any]:
    """Store a workspace: under the id that is given, or as a new one."""
    view_id = variables.get("id") or f"view{len(seen.views)}"
    is_new = view_id not in seen.views
    seen.views[view_id] = dict(variables)
    view = {"id": view_id, "name": variables["name"]}
    return {"upsertView": {"view": view, "inserted": is_new}}


def views_named(variables: dict[str, Any], seen: Seen) -> dict[str, Any]:
    """Return the workspaces of a name."""
    found = [
        {"node": {"id": view_id, "displayName": view["displayName"], "spec": view["spec"]}}
        for view_id, view in seen.views.items()
        if view["name"] == variables["viewName"]
    ]
    return {"project": {"allViews": {"edges": found}}}


def artifact(operation: str, variables: dict[str, Any], seen: Seen) -> dict[str, Any] | None:
    """Answer the questions that are asked while an artifact is uploaded."""
    put = f"{seen.url}/put"
    if operation == "CreateArtifact":
        seen.artifacts.append(variables["input"])
        made = {
            "id": f"artifact{len(seen.artifacts)}",
            "state": "PENDING",
            "artifactSequence": {"id": "q", "latestArtifact": None},
        }
        return {"createArtifact": {"artifact": made}}
    if operation in ("CreateArtifactManifest", "UpdateArtifactManifest"):
        name = operation[0].lower() + operation[1:]
        file = {"id": "m", "uploadUrl": f"{put}/manifest.json", "uploadHeaders": []}
        return {name: {"artifactManifest": {"id": "m", "file": file}}}
    if operation == "CreateArtifactFiles":
        edges = [
            {
                "node": {
                    "storagePath": spec["name"],
                    "uploadUrl": f"{put}/artifacts/{spec['name']}",
                    "uploadHeaders": [],
                    "uploadMultipartUrls": None,
                    "artifact": {"id": spec["artifactID"]},
                }
            }
            for spec in variables["input"]["artifactFiles"]
        ]
        return {"createArtifactFiles": {"files": {"edges": edges}}}
    if operation == "CommitArtifact":
        return {"commitArtifact": {"artifact": {"id": variables["artifactID"], "digest": "d"}}}
    return None


def answer(
    operation: str, query: str, variables: dict[str, Any], seen: Seen
) -> dict[str, Any] | None:
    """Return the data of a GraphQL answer, or None for an operation that is not known here."""
    if variables.get("project", seen.project) != seen.project:
        return {"project": None}
    if operation == "GetDefaultEntity":
        return {"viewer": {"id": "u", "entity": "me"}}
    if operation == "Runs":
        return {"project": runs_page(query, variables, seen)}
    if operation == "RunHistoryKeys":
        keys = (
            keys_of(seen.history(variables["name"])) if variables["name"] in seen.stream else None
        )
        return {"project": {"run": {"historyKeys": keys}}}
    if operation == "RunParquetHistory":
        return {"project": {"run": {"parquetHistory": {"parquetUrls": [], "liveData": []}}}}
    if operation == "HistoryPage":
        return {"project": {"run": {"history": history_page(variables, seen)}}}
    if operation == "UpsertView2":
        return upsert_view(variables, seen)
    if operation == "View":
        return views_named(variables, seen)
    return artifact(operation, variables, seen)
