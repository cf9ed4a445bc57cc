"""Steps of long work, each of which leaves a file, so that what was stopped can be taken up."""

import json
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError

from iotflowgen.errors import EvaluationError
from iotflowgen.files import parsed_text, whole_file

__all__ = ["Step", "said", "take"]


@dataclass(frozen=True)
class Step:
    """Something to find out, and the file that says what was found."""

    stage: str
    work: Callable[[], dict[str, Any]]
    path: Path
    key: str
    """Of all that it depends on: a file with another key is of another step."""

    def is_done(self) -> bool:
        """Whether it was taken before, made of the same, and came to something."""
        before = said(self.path)
        return before["key"] == self.key and "error" not in before["found"]

    def take(self) -> None:
        """Find out, and write it down; an error is a finding."""
        with suppress(ModuleNotFoundError):
            import torch  # noqa: PLC0415 - not all generators and adversaries need it

            torch.set_num_threads(1)
        with warnings.catch_warnings():
            # what they say stands in the results: how many windows, what a fit fell back to
            warnings.simplefilter("ignore", UserWarning)
            try:
                found = self.work()
            except Exception as error:
                found = {"error": f"{type(error).__name__}: {error}"}
        with whole_file(self.path) as temporary:
            temporary.write_text(json.dumps({"key": self.key, "found": found}) + "\n")


def said(path: Path) -> dict[str, Any]:
    """What a step wrote down, `key` and `found`; of a file that is damaged, or not there, so."""
    with suppress(OSError, ValueError):
        read = parsed_text(path, json.loads)
        if isinstance(read, dict) and isinstance(read.get("found"), dict) and "key" in read:
            return read
    return {"key": "", "found": {"error": f"{path} is damaged; run the benchmark again"}}


def take(steps: Sequence[Step], processes: int, tell: Callable[[int, int], None]) -> None:
    """Take steps side by side, a thread each: networks this small are not faster on two.

    Args:
        steps: None of which waits for another.
        processes: How many at a time.
        tell: Is told how many are done, of how many.

    Raises:
        EvaluationError: A process was killed.
    """
    if not steps:
        return
    with parallel_config("loky", n_jobs=processes, inner_max_num_threads=1):
        taken = Parallel(return_as="generator_unordered")(delayed(step.take)() for step in steps)
        try:
            tell(0, len(steps))
            for done, _ in enumerate(taken, start=1):
                tell(done, len(steps))
        except TerminatedWorkerError as error:
            raise EvaluationError(
                "a process was killed, most likely for want of memory; what was done is kept: run "
                "it again with --processes 1"
            ) from error
