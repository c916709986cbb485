"""`from experiments import train, compare` in processes of their own: scripts, a notebook, Hydra."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from processes import ended, finished, forked
from running import ROOT, run_folders

from experiments.record.folder import read_config
from experiments.record.record import read_record

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "own.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## From Python")[2].partition("\n## ")[0]

NET = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self, width=4):
        super().__init__(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, 2))
"""
TRAIN = """
from experiments import train
run = train("data=xor", "data.num_samples=60", model=Net, trainer=dict(max_epochs=1))
print("IDENTITY", run.record["identity"])
"""
THEIRS = """
import os
import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

OmegaConf.register_new_resolver("twice", lambda x: 2 * x)

@hydra.main(version_base="1.2", config_path=None)
def main(config):
    before = os.getcwd(), HydraConfig.get().runtime.output_dir
    from experiments import compare, train
    for model in ("linear", Net):
        for seed in (0, 1):
            train("data=xor", "data.num_samples=60", model=model, seed=seed)
    assert (os.getcwd(), HydraConfig.get().runtime.output_dir) == before
    verdict = compare("outputs/interactive", factor="model", control="linear")
    assert "linear" in str(verdict)
    verdict.write("report")
    assert OmegaConf.create({"a": "${twice:${b}}", "b": config.number}).a == 6
    print("ENDED")

main()
"""


def test_the_script_of_the_page_does_what_it_says() -> None:
    [script] = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
    assert "python mine.py" in SECTION
    Path("mine.py").write_text(script)
    out = ended(forked("mine.py"))
    folders = run_folders()
    assert [read_record(folder)["status"] for folder in folders] == ["completed"] * 12
    assert all((folder / "data.npz").is_file() for folder in folders)
    assert out.count("Wide stands in no module that can be imported") == 1
    assert re.search(r"Wide beats linear by \d", out)
    assert "Run('outputs/interactive/" in out
    again = ended(forked("mine.py"))  # all is found
    assert run_folders() == folders
    assert "stands in no module" not in again
    # Another process has not that class, and says so; all else it reads.
    wide = next(folder for folder in folders if read_config(folder)["model"]["name"] == "Wide")
    code = f"run = load_run({str(wide)!r}); print(run.metrics['test/accuracy']); run.module()"
    Path("other.py").write_text(f"from experiments import load_run; {code}")
    other = finished("other.py")
    assert float(other.stdout) == read_record(wide)["metrics"]["test/accuracy"]
    assert "__main__.Wide was given in Python and cannot be imported" in other.stderr


def test_the_same_text_is_the_same_class_in_a_script_and_in_a_notebook() -> None:
    Path("home").mkdir(exist_ok=True)  # $HOME, of which IPython wants that it is there
    Path("mine.py").write_text(NET + TRAIN)
    [first] = re.findall("IDENTITY (.*)", ended(forked("mine.py")))
    cells = [NET, TRAIN, NET.replace("width=4", "width=5"), TRAIN, "run.module()"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": "."}}).execute()
    told = ["".join(out.get("text", "") for out in cell.outputs) for cell in notebook.cells]
    identities = [re.findall("IDENTITY (.*)", text) for text in told]
    assert identities[1] == [first]
    assert identities[3] != [first]
    widths = [read_config(folder)["model"]["width"] for folder in run_folders()]
    assert widths == [4, 5]
    shown: Any = notebook.cells[4].outputs[-1]
    assert "out_features=5" in shown["data"]["text/plain"]


def test_amid_a_program_of_hydras_the_folder_and_its_words_stay_its_own() -> None:
    Path("theirs.py").write_text(NET + THEIRS)
    assert "ENDED" in ended(forked("theirs.py", "+number=3"))
    assert len(run_folders(Path("outputs/interactive"))) == 4
    assert not list(Path("outputs/interactive").glob("*/.hydra"))
    assert len(list(Path("outputs").glob("*/*/.hydra"))) == 1  # the program's own
    assert "<!doctype html>" in Path("report/report.html").read_text()[:200]
    kept = json.loads(Path("report/verdict.json").read_text())
    assert len(kept["runs"]) == 4
