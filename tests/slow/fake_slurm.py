"""A SLURM of one machine: sbatch, srun, sacct and scancel, as far as submitit uses them.

    python fake_slurm.py install FOLDER

puts the four into a folder for PATH. Jobs are processes of sessions of their own; their states are
files beside them.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve()


def install(folder: Path) -> None:
    for name in ("sbatch", "srun", "sacct", "scancel"):
        path = folder / name
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{HERE}" {name} "{folder}" "$@"\n')
        path.chmod(0o755)


def sbatch(state: Path, script: str) -> None:
    number = 1 + len(list(state.glob("*.script")))
    text = Path(script).read_text()
    (state / f"{number}.script").write_text(text)
    array = re.search(r"--array=0-(\d+)%(\d+)", text)
    ids = [f"{number}_{n}" for n in range(int(array[1]) + 1)] if array else [str(number)]
    for one in ids:
        (state / f"{one}.state").write_text("PENDING")
    for one in ids:
        command = [
            sys.executable,
            str(HERE),
            "job",
            str(state),
            one,
            str(state / f"{number}.script"),
        ]
        with open(os.devnull, "w") as nothing:
            subprocess.Popen(command, start_new_session=True, stdout=nothing, stderr=nothing)
    print(f"Submitted batch job {number}")


def job(state: Path, one: str, script: str) -> None:
    number, _, index = one.partition("_")
    own = {"SLURM_JOB_ID": number, "SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
    if index:
        own |= {"SLURM_ARRAY_JOB_ID": number, "SLURM_ARRAY_TASK_ID": index}
    process = subprocess.Popen(["bash", script], env={**os.environ, **own}, start_new_session=True)
    (state / f"{one}.pid").write_text(str(process.pid))
    (state / f"{one}.state").write_text("RUNNING")
    code = process.wait()
    ends = {0: "COMPLETED", -9: "OUT_OF_MEMORY", 137: "OUT_OF_MEMORY"}
    if (state / f"{one}.state").read_text() == "RUNNING":
        (state / f"{one}.state").write_text(ends.get(code, "FAILED"))


def srun(state: Path, *words: str) -> None:
    output, error = words[words.index("--output") + 1], words[words.index("--error") + 1]
    array, index = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    start = next(n for n, word in enumerate(words) if "python" in word)
    for name, number in ((output, 1), (error, 2)):
        known = {"%A": array, "%a": index, "%t": "0", "%j": os.environ["SLURM_JOB_ID"]}
        for sign, value in known.items():
            name = name.replace(sign, str(value))
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        os.dup2(os.open(name, os.O_CREAT | os.O_APPEND | os.O_WRONLY), number)
    os.execvp(words[start], list(words[start:]))


def sacct(state: Path, *words: str) -> None:
    print("JobID|State|NodeList")
    for path in sorted(state.glob("*.state")):
        print(f"{path.stem}|{path.read_text()}|here")


def scancel(state: Path, one: str) -> None:
    (state / f"{one}.state").write_text("CANCELLED by 0")
    # As SLURM does: to every process of the job, whatever its session.
    with contextlib.suppress(OSError):
        first = int((state / f"{one}.pid").read_text())
        for pid in [first, *below(first)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)


def below(first: int) -> list[int]:
    found = [first]
    stats = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            stats[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    for pid in found:
        found += [one for one, parent in stats.items() if parent == pid]
    return found[1:]


if __name__ == "__main__":
    word, place, *rest = sys.argv[1:]
    if word == "install":
        install(Path(place))
    else:
        {"sbatch": sbatch, "srun": srun, "sacct": sacct, "scancel": scancel, "job": job}[word](
            Path(place), *rest
        )
