"""The part of W&B's server that is asked by readers: its public API, artifacts and workspaces."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracking.wandb_server import Seen


def state_of(run_id: str, seen: Seen) -> str:
    """Return W&B's state of a run."""
    exit_code = seen.exit_codes.get(run_id)
    return "running" if exit_code is None else "failed" if exit_code else "finished"


def node_of(run_id: str, seen: Seen) -> dict[str, Any]:
    """Return a run as a page without configs and summaries has it."""
    sent = seen.runs[run_id]
    return {
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
        "historyLineCount": len(seen.history(run_id)) if run_id in seen.stream else 0,
        "user": {"name": "me", "username": "me"},
    }


def fits(sent: dict[str, Any], filters: dict[str, Any]) -> bool:
    """Return whether a run fits filters in the language of MongoDB, as much of it as is used."""
    assert set(filters) <= {"$or"}, filters
    choices = filters.get("$or", [{}])
    return any(all(sent.get(k) == v for k, v in choice.items()) for choice in choices)


def runs_page(variables: dict[str, Any], seen: Seen) -> dict[str, Any]:
    """Return a page of a project's runs that fit the filters, behind the one that was seen last."""
    ids = [i for i in seen.runs if fits(seen.runs[i], json.loads(variables["filters"]))]
    start = int(variables.get("cursor") or 0)
    end = start + variables["perPage"]
    edges = [
        {"node": node_of(run_id, seen), "cursor": str(number)}
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


def files_page(variables: dict[str, Any], seen: Seen) -> dict[str, Any]:
    """Return those of the asked files that were put for a run."""
    run_id = variables["name"]
    paths = {name: f"{run_id}/{name}" for name in variables["fileNames"]}
    edges = [
        {
            "node": {
                "id": path,
                "name": name,
                "url": f"{seen.url}/get/{path}",
                "directUrl": f"{seen.url}/get/{path}",
                "sizeBytes": len(seen.files[path]),
                "mimetype": None,
                "updatedAt": None,
                "md5": None,
            },
            "cursor": name,
        }
        for name, path in paths.items()
        if path in seen.files
    ]
    page = {"edges": edges, "pageInfo": {"endCursor": None, "hasNextPage": False}}
    return {"internalId": "7", "run": {"fileCount": len(edges), "files": page}}


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


def answer(operation: str, variables: dict[str, Any], seen: Seen) -> dict[str, Any] | None:
    """Return the data of a GraphQL answer, or None for an operation that is not known here."""
    if variables.get("project", seen.project) != seen.project:
        return {"project": None}
    if operation == "GetDefaultEntity":
        return {"viewer": {"id": "u", "entity": "me"}}
    if operation == "Runs":
        return {"project": runs_page(variables, seen)}
    if operation == "RunFiles":
        return {"project": files_page(variables, seen)}
    if operation == "UpsertView2":
        return upsert_view(variables, seen)
    if operation == "View":
        return views_named(variables, seen)
    return artifact(operation, variables, seen)
