"""W&B inside a single run: online where that works, else offline, and never a question.

What is online: a key (or token) is configured and the server answers. The key is looked up to
know whether there is one; it is never read into a config, a log or an argument.
"""

from __future__ import annotations

import logging
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import wandb
from lightning.pytorch.loggers import WandbLogger
from numpy.typing import NDArray
from wandb.sdk.lib.wbauth import read_netrc_auth

log = logging.getLogger(__name__)

Mode = Literal["online", "offline", "disabled"]
NUM_MISTAKES = 32
STAGED_HERE = "EXPERIMENTS_WANDB_DATA_DIR"


def has_key(server: str) -> bool:
    """Return whether a key for the server stands in the environment or in netrc."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    return bool(read_netrc_auth(host=server))


def answers(server: str, timeout: float = 3.0) -> bool:
    """Return whether anything answers at the server's address."""
    try:
        with urllib.request.urlopen(server, timeout=timeout):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False


def choose_mode(requested: str) -> tuple[Mode, str]:
    """Return online, offline or disabled, and one line that says why.

    Args:
        requested: `logger.mode`; `auto` follows WANDB_MODE, then looks for key and server.
    """
    told = os.environ.get("WANDB_MODE", "") if requested == "auto" else requested
    if told in ("offline", "dryrun"):
        return "offline", "W&B: offline, as asked for."
    if told == "disabled":
        return "disabled", "W&B: disabled, as asked for."
    # From WANDB_BASE_URL, W&B's settings files or its default.
    server = str(wandb.setup().settings.base_url)
    if not has_key(server):
        return "offline", "W&B: offline, because no key is configured (wandb login sets one)."
    if not answers(server):
        return "offline", f"W&B: offline, because {urlsplit(server).hostname} does not answer."
    return "online", "W&B: online."


def start_wandb(
    settings: Mapping[str, Any],
    output: Path,
    *,
    run_id: str,
    name: str,
    group: str,
    job_type: str | None,
    tags: Sequence[str],
    config: Mapping[str, Any],
    is_resumed: bool = False,
) -> WandbLogger | None:
    """Start a W&B run and return a logger for the Trainer; None where W&B is disabled.

    Args:
        settings: the group `logger` (project, entity, mode, tags, notes).
        output: the run's files go to `output/wandb`.
        run_id: the identity of the run.
        name: what W&B shows.
        group: the setting, all that determines the result but the seed.
        job_type: the name of the sweep.
        tags: added to those of the settings.
        config: the nested, resolved config.
        is_resumed: whether the run may be on the server already.
    """
    mode, line = choose_mode(settings["mode"])
    if mode == "disabled":
        log.info(line)
        return None
    (output / "wandb").mkdir(parents=True, exist_ok=True)
    stage_artifacts_in(output / "wandb")
    arguments: dict[str, Any] = {
        "project": settings["project"],
        "entity": settings["entity"],
        # W&B's service would take a relative path from the folder that it was started in.
        "dir": str(output.resolve()),
        "id": run_id,
        "name": name,
        "group": group,
        "job_type": job_type,
        "tags": sorted({*tags, *settings["tags"]}),
        "notes": settings["notes"],
        "config": dict(config),
        "resume": "allow" if is_resumed and mode == "online" else None,
        "reinit": "create_new",
        "settings": wandb.Settings(silent=True, init_timeout=30),
    }
    try:
        run = wandb.init(mode=mode, **arguments)
    except wandb.errors.Error as error:
        if mode == "offline":
            raise
        reason = " ".join(str(error).split())[:200]
        line = f"W&B: offline, because the server refused the run ({reason})."
        # The id stays taken in this process by the attempt that failed.
        arguments |= {"resume": None, "id": f"{run_id}-offline"}
        run = wandb.init(mode="offline", **arguments)
    log.info(line)
    # As Lightning's logger would have it, were it to make the run itself.
    run.define_metric("trainer/global_step")
    run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    for metric, best in (("val/accuracy", "max"), ("val/loss", "min"), ("val/r2", "max")):
        run.define_metric(metric, step_metric="trainer/global_step", summary=best)
    return WandbLogger(experiment=run)


def stage_artifacts_in(folder: Path) -> None:
    """Have W&B stage artifacts below `folder` instead of the user's data folder.

    An environment variable is the only way; one that the user has set is left alone.
    """
    if os.environ.get("WANDB_DATA_DIR", "") in ("", os.environ.get(STAGED_HERE, "")):
        os.environ["WANDB_DATA_DIR"] = os.environ[STAGED_HERE] = str(folder.resolve())


def finish_wandb(
    logger: WandbLogger, summary: Mapping[str, Any], exit_code: int, checkpoint: Path | None
) -> None:
    """Write the summary, attach the best checkpoint if one is given, and end the run.

    Args:
        exit_code: 0, or what makes W&B show the run as failed.
    """
    run: Any = logger.experiment
    for name, value in summary.items():
        run.summary[name] = value
    if checkpoint is not None and checkpoint.is_file():
        artifact = wandb.Artifact(f"model-{run.id}", type="model")
        artifact.add_file(str(checkpoint))
        run.log_artifact(artifact, aliases=["best"])
    run.finish(exit_code=exit_code)


def log_media(
    logger: WandbLogger,
    class_names: Sequence[str],
    inputs: NDArray[Any],
    targets: NDArray[Any],
    scores: NDArray[Any],
) -> None:
    """Log the confusion matrix, and the mistakes that the network was surest of.

    Shapes: inputs (N, *shape), targets (N,), scores (N, K).
    """
    run: Any = logger.experiment
    predicted = scores.argmax(axis=1)
    matrix = wandb.plot.confusion_matrix(
        y_true=targets.tolist(), preds=predicted.tolist(), class_names=list(class_names)
    )
    wrong = (predicted != targets).nonzero()[0]
    sure = scores[wrong, predicted[wrong]]
    worst = wrong[(-sure).argsort(kind="stable")][:NUM_MISTAKES]
    table = wandb.Table(columns=["input", "target", "predicted", "score", "index"])
    for index in worst.tolist():
        table.add_data(
            shown(inputs[index]),
            class_names[targets[index]],
            class_names[predicted[index]],
            float(scores[index, predicted[index]]),
            index,
        )
    run.log({"confusion_matrix": matrix, "worst_mistakes": table})


def shown(x: NDArray[Any]) -> Any:
    """Return an image for W&B, or the numbers as text where a point is none."""
    if x.ndim != 3 or x.shape[0] not in (1, 3):
        return ", ".join(f"{value:.3g}" for value in x.ravel()[:64])
    low, high = float(x.min()), float(x.max())
    pixels = (x.astype("float32") - low) / ((high - low) or 1.0) * 255
    return wandb.Image(pixels.astype("uint8").transpose(1, 2, 0).squeeze())
