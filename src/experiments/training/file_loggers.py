"""Loggers beside W&B: Lightning's CSV, TensorBoard, MLflow, and anybody's class.

Each is told all that history.csv gets, the config and what the test measured, and writes into the
run folder unless it is told where. Where a run goes on, what it wrote is written anew from the
history: a curve that begins twice would be drawn twice.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger

from experiments.config.dotted_paths import find_target
from experiments.config.entries import call_or_refuse, called
from experiments.errors.messages import user_error
from experiments.errors.wording import listed
from experiments.record.folder import write_atomic
from experiments.record.record import Record
from experiments.training.own_loggers import arguments_for, check_is_logger, check_own_logger

LOGGERS = ("wandb", "csv", "none")
"""Those that need no class of their own."""
PACKAGES = {
    "tensorboard": ("tensorboard", ("tensorboard", "tensorboardX")),
    "mlflow": ("mlflow", ("mlflow",)),
    "comet": ("comet-ml", ("comet_ml",)),
    "neptune": ("neptune", ("neptune",)),
}
"""Of Lightning's loggers, by their names without Logger: what to install, and the modules of
which they import one."""
RUN_ID = "mlflow_run_id"
"""The file that keeps as which run an MLflow server knows this one."""

Node = Mapping[str, Any]
Row = Mapping[str, float | None]


def logger_nodes(settings: Node) -> Iterator[tuple[str, Node]]:
    """Give each logger that a config names beside W&B's, with the key that it stands at."""
    yield "logger", settings
    for name, node in (settings.get("also") or {}).items():
        key = f"logger.also.{name}"
        yield key, {"name": name, **node} if isinstance(node, Mapping) else {}


def check_logger(settings: Node) -> None:
    """Raise UserError for a logger that nobody would start, and whose run were told to none."""
    for key, node in logger_nodes(settings):
        name, is_first = node.get("name"), key == "logger"
        if "_target_" in node:
            check_installed(key, node)
            check_own_logger(key, node)
        elif name not in LOGGERS and is_first:
            raise user_error("logger", given=name, allowed=listed(LOGGERS))
        elif name not in LOGGERS[1:] and not is_first:
            raise user_error("other_logger", given=key.rpartition(".")[2])


def check_installed(key: str, node: Node) -> None:
    """Raise UserError where the package that a logger of Lightning's writes with is not there."""
    path = str(node["_target_"])
    name = path.rpartition(".")[2].lower().removesuffix("logger")
    if name not in PACKAGES or not path.startswith(("experiments.", "lightning.")):
        return
    package, modules = PACKAGES[name]
    if not any(importlib.util.find_spec(module) for module in modules):
        given = f"logger={node['name']}" if key == "logger" else key
        raise user_error("logger_package", given=given, package=package)


def file_loggers(
    settings: Node, folder: Path, rows: Sequence[Row], config: Node
) -> Iterator[Logger]:
    """Start each logger that a config names beside W&B's, and tell it what the run has done before.

    Args:
        rows: of history.csv, where the run goes on.
        config: what it is told as hyperparameters.
    """
    known_as = id_at_server(folder)
    for key, node in logger_nodes(settings):
        if "_target_" in node:
            logger = own_logger(key, node, folder)
        elif node["name"] == "csv":
            shutil.rmtree(folder / "csv", ignore_errors=True)  # it begins anew each time
            logger = CSVLogger(folder.parent, folder.name, "csv")
        else:
            continue
        # At a server a run that goes on is the one that it was.
        if not (known_as and isinstance(logger, MLFlowLogger) and logger.run_id == known_as):
            if hasattr(logger, "log_hyperparams"):
                logger.log_hyperparams(dict(config))
            for row in rows:
                values = {k: v for k, v in row.items() if v is not None and k != "step"}
                logger.log_metrics(values, step=int(row["step"] or 0))
        yield logger


def own_logger(key: str, node: Node, folder: Path) -> Logger:
    """Return a logger of anyone's, which writes into the run folder unless it is told where."""
    target = find_target(key, node["_target_"])
    owner, arguments = called(target), arguments_for(target, node, str(folder))
    logger: Logger = call_or_refuse(key, lambda: target(**arguments), owner)
    check_is_logger(logger, node["name"], owner)
    return logger


def end_logger(logger: Logger, record: Record, config: Node) -> None:
    """Tell a logger what the test measured, and that the run is over."""
    metrics, step = record["metrics"], record["steps"]
    tested: Any = {name: value for name, value in metrics.items() if name.startswith("test/")}
    if tested and isinstance(logger, TensorBoardLogger):
        # Its table of hyperparameters holds only runs that have a result beside them.
        logger.log_hyperparams(dict(config), tested, step)
    elif tested:
        logger.log_metrics(tested, step=step)
    if isinstance(logger, EventFile):
        logger.is_over = True
    if hasattr(logger, "finalize"):
        logger.finalize("success" if record["status"] in ("completed", "pruned") else "failed")


class EventFile(TensorBoardLogger):
    """Lightning's logger of TensorBoard's event files, which stays open until its run is over.

    Lightning ends it after the fit and again after the test. A file that is begun anew within a
    second has the name of the first, to tensorboardX, and takes its place.
    """

    is_over = False

    def finalize(self, status: str) -> None:
        if self.is_over:
            super().finalize(status)


def tensorboard(save_dir: str, **more: Any) -> EventFile:
    """Return Lightning's logger of TensorBoard's event files, anew in tensorboard/ of a folder.

    Args:
        more: of its own arguments, or of torch's SummaryWriter.
    """
    shutil.rmtree(Path(save_dir, "tensorboard"), ignore_errors=True)
    # Without this its table of hyperparameters would have a column of -1.
    settings = {"default_hp_metric": False, **more}
    return EventFile(save_dir, name="", version="tensorboard", **settings)


def mlflow(
    save_dir: str,
    tracking_uri: str | None = None,
    experiment_name: str = "experiments",
    run_name: str | None = None,
    **more: Any,
) -> MLFlowLogger:
    """Return Lightning's logger of MLflow: anew in mlflow/ of a run folder, or in another store.

    In the folder it is a database of SQLite, as MLflow 3 refuses stores of plain files.

    Args:
        tracking_uri: of the store or server; null for MLFLOW_TRACKING_URI, or mlflow/.
        run_name: that of the run folder where it is null.
        more: of its own arguments.
    """
    folder = Path(save_dir)
    uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
    place = (folder / "mlflow").resolve()
    if not uri:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        more = {"artifact_location": (place / "artifacts").as_uri(), **more}
    logger = MLFlowLogger(
        experiment_name,
        run_name=run_name or folder.name,
        tracking_uri=uri or f"sqlite:///{place / 'mlflow.db'}",
        run_id=id_at_server(folder) if uri else None,
        **more,
    )
    if uri:
        write_atomic(folder / RUN_ID, f"{logger.run_id}\n")
    return logger


def id_at_server(folder: Path) -> str | None:
    """Return as which run an MLflow server knows that of a folder; None where none does."""
    path = folder / RUN_ID
    return path.read_text(encoding="utf-8").strip() if path.is_file() else None
