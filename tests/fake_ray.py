"""A stand-in for the module ray, and for the board that tells of its jobs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from experiments.sweep.jobs.job import Result


class FakeErrors:
    """The exceptions of Ray that are told apart."""

    RayError = type("RayError", (Exception,), {})
    WorkerCrashedError = type("WorkerCrashedError", (RayError,), {})
    OutOfMemoryError = type("OutOfMemoryError", (RayError,), {})
    TaskCancelledError = type("TaskCancelledError", (RayError,), {})

    class RayTaskError(RayError):
        def __init__(self, cause: Exception) -> None:
            super().__init__(f"Traceback ...\n{type(cause).__name__}: {cause}")
            self.cause = cause


class FakeRay:
    """Ends every task at once: with the next of `outcomes`, or as completed."""

    exceptions = FakeErrors

    def __init__(self, *outcomes: Any, nodes: list[dict[str, float]] | None = None) -> None:
        self.outcomes = list(outcomes)
        self.has = nodes or [{"CPU": 1.0}]
        self.submitted: list[tuple[str, dict[str, Any], tuple[Any, ...]]] = []
        self.cancelled: list[Any] = []

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": has} for has in self.has]

    def remote(self, **options: Any) -> Any:
        # Ray must never repeat a task by itself.
        assert options["max_retries"] == 0

        def decorate(function: Any) -> Any:
            def submit(*arguments: Any, given: dict[str, Any]) -> int:
                self.submitted.append((given["name"], given, arguments))
                return len(self.submitted)

            return SimpleNamespace(
                options=lambda **given: SimpleNamespace(
                    remote=lambda *arguments: submit(*arguments, given=given)
                )
            )

        return decorate

    def wait(self, refs: list[int], num_returns: int, timeout: float) -> tuple[list[int], Any]:
        return refs[:num_returns], refs[num_returns:]

    def get(self, ref: int) -> Result:
        outcome = self.outcomes.pop(0) if self.outcomes else Result("completed")
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def cancel(self, ref: int, force: bool = False) -> None:
        self.cancelled.append(ref)


class FakeBoard:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str | None]] = []
        self.printed: list[str] = []
        self.console = SimpleNamespace(print=lambda text, **_: self.printed.append(text))

    def ended(self, running: Any, result: Result) -> None:
        self.told.append((running.job.name, result.outcome, result.message))

    def tell(self, line: str) -> None:
        self.printed.append(line)

    def show(self, running: Any) -> None: ...
