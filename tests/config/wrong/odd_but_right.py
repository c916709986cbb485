"""Commands that look odd and are right: each must be taken, and mean what is said beside it.

Each row: what is typed after `python train.py`, and a key with the value that it then has.
"""

from __future__ import annotations

from typing import Any

RIGHT: list[tuple[str, str, Any]] = [
    ("seed=1_000", "seed", 1000),
    ("seed=007", "seed", 7),
    ("seed=+3", "seed", 3),
    ("seed=4294967295", "seed", 4294967295),
    ("optim.lr=1e-3", "optim.lr", 1e-3),
    ("optim.lr=1E-3", "optim.lr", 1e-3),
    ("optim.lr=.1", "optim.lr", 0.1),
    ("optim.lr=1.", "optim.lr", 1.0),
    ("optim.lr=+0.1", "optim.lr", 0.1),
    ("optim.lr=1", "optim.lr", 1),
    ("optim.weight_decay=0", "optim.weight_decay", 0),
    ("optim.lr='${optim.eps}'", "optim.lr", 1e-8),
    ("test=True", "test", True),
    ("test=FALSE", "test", False),
    ("test=no", "test", False),
    ("test=on", "test", True),
    ("compile=Off", "compile", False),
    ("trainer.max_time=null", "trainer.max_time", None),
    ("trainer.max_time='\"00:01:30:00\"'", "trainer.max_time", "00:01:30:00"),
    ("trainer.max_time=00:01:30:00", "trainer.max_time", "00:01:30:00"),
    ("trainer.gradient_clip_val=1", "trainer.gradient_clip_val", 1.0),
    ("trainer.limit_val_batches=0.5", "trainer.limit_val_batches", 0.5),
    ("model=mlp 'model.hidden=[64, 32]'", "model.hidden", [64, 32]),
    ("model=mlp 'model.hidden=[ 64,32 ]'", "model.hidden", [64, 32]),
    ("model=mlp model.dropout=[0.1,0]", "model.dropout", [0.1, 0]),
    ("'model=mlp'", "model.name", "mlp"),
    ("model=mlp model=cnn", "model.name", "cnn"),
    ("model=mlp.yaml", "model.name", "mlp"),
    ("seed=1 seed=2", "seed", 2),
    ("++seed=3", "seed", 3),
    ("data.batch_size=full", "data.batch_size", "full"),
    ("data.batch_size=100000", "data.batch_size", 100000),
    ("paths.output=Größe", "paths.output", "Größe"),
    ("'paths.output=a folder, (new)'", "paths.output", "a folder, (new)"),
    ("resume=auto", "resume", "auto"),
    ("logger.notes='\"loss, by size\"'", "logger.notes", "loss, by size"),
    ("logger.tags=[a,b]", "logger.tags", ["a", "b"]),
    ("data=csv model=mlp data.path=table.csv data.target=class", "data.target", "class"),
    ("callbacks=[early_stopping,diagnostics]", "callbacks.early_stopping.patience", 5),
]  # fmt: skip
