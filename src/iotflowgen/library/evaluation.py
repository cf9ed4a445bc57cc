"""How detectable honeydata is: adversaries against captures of the device."""

import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from iotflowgen.capture import CaptureWarning, Dissector, with_headers
from iotflowgen.errors import EvaluationError, HeadersMissing, TooShort
from iotflowgen.library.arguments import check_choice, check_whole
from iotflowgen.library.captures import Captures, read_captures
from iotflowgen.library.files import AnyPath, Paths, paths_of
from iotflowgen.library.honeydata import Honeydata
from iotflowgen.plugins import ADVERSARIES
from iotflowgen.progress import Progress, silent
from iotflowgen.traffic import Trace

if TYPE_CHECKING:
    from iotflowgen.evaluation import Results

__all__ = ["Evaluation", "evaluate"]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What adversaries made of synthetic windows, by the name of the adversary.

    Accuracies are shares of windows told right, 0.5 being a guess.
    """

    results: "Results"
    """All that was found: folds, captures, metrics, settings."""

    @property
    def accuracy(self) -> Mapping[str, float]:
        """Of synthetic windows told from real ones; mean over the trials."""
        return {cell.adversary: cell.accuracy or 0.0 for cell in self.results.cells}

    @property
    def control(self) -> Mapping[str, float]:
        """Of genuine windows told from real ones, in the place of the synthetic ones."""
        excess = self.excess
        return {name: accuracy - excess[name] for name, accuracy in self.accuracy.items()}

    @property
    def excess(self) -> Mapping[str, float]:
        """Accuracy minus that of the control: 0 where synthetic is as hard to tell as genuine."""
        return {cell.adversary: cell.excess or 0.0 for cell in self.results.cells}

    def to_json(self, path: AnyPath) -> None:
        """Write a results file, which `read_results` and `iotflowgen report` read.

        Raises:
            OutputError: It cannot be written.
        """
        self.results.write(Path(path))

    def to_html(self, path: AnyPath, *, progress: Progress = silent) -> None:
        """Write one page of tables and plots, and of what they mean in words.

        Raises:
            OutputError: It cannot be written.
        """
        from iotflowgen.report import write_report

        write_report(self.results, Path(path), progress=progress)

    def summary(self) -> dict[str, Any]:
        """What was found, in types that JSON has."""
        sample = self.results.samples[0]
        return {
            "device": sample.device,
            "generator": sample.generator,
            "protocol": sample.protocol,
            "windows": sample.windows,
            "adversaries": {
                cell.adversary: {
                    "accuracy": cell.accuracy,
                    "control": self.control[cell.adversary],
                    "excess": cell.excess,
                    "trials": [
                        {
                            "accuracy": attack.detection.mean,
                            "interval": list(attack.detection.interval),
                            "roc_auc": attack.detection.roc_auc,
                            "control": attack.control.mean,
                            "excess": attack.excess,
                        }
                        for attack in cell.attacks
                    ],
                }
                for cell in self.results.cells
            },
        }


def evaluate(
    real: Paths | Captures,
    fake: Paths | Honeydata,
    *,
    protocol: Literal["paper", "held-out"] = "paper",
    adversaries: Iterable[str] | None = None,
    device: str | None = None,
    dissector: Dissector = "builtin",
    window: int = 20,
    windows: int = 500,
    splits: int = 2,
    seed: int = 0,
    progress: Progress = silent,
) -> Evaluation:
    """Measure how well adversaries tell generated traffic of a device from its captures.

    Under `paper` (section 5.2) captures are those that were learnt from, and windows of one stand
    in training and test. Under `held-out` the figure is the excess over a control, one half of the
    captures against the other; there, what made the synthetic traffic should not have seen these
    captures, which cannot be known here.

    Args:
        real: Captures of the device, or folders of them; or what `read_captures` read.
        fake: Synthetic traffic, whatever made it: `.parquet`, `.csv`, pcap or pcapng; or honeydata,
            which is written to a file for the time being, and read as an adversary would.
        protocol: paper: over windows of all captures; held-out: by capture, with a control.
        adversaries: Who attacks: `packet-metadata` (the paper's), `published` (its authors'
            code's), `boosting`, `rocket`; `headers`, which reads packets; `rhythm` and
            `rhythm-minutes`, which look at hours and minutes of captures; by default all that can.
        device: MAC or IP address of the device in the captures; by default the most common IP
            address, as in each synthetic capture.
        dissector: Who tells what packets are, as in `read_captures`.
        window: L, packets a window.
        windows: N, windows of each kind; fewer where there are fewer.
        splits: How often `held-out` splits the captures.
        seed: Decides everything that is drawn.
        progress: Told after each capture, and after every fit of an adversary.

    Warns:
        CaptureWarning: As `read_captures`; and adversaries are left out, where there are no packets
            for them, or their libraries are not installed.
        EvaluationWarning: There are fewer windows, or a capture is shorter than one.

    Raises:
        ArgumentError: There is no such adversary, protocol or dissector, or a number is too small
            or not whole.
        CaptureError: A capture cannot be used.
        TableError: A table lacks columns or holds impossible values.
        HeadersMissing: `headers` is asked for of what has no packets.
        TooShort: There is too little to evaluate.
        EvaluationError: `rhythm` is asked for of tables.
    """
    from iotflowgen import evaluation
    from iotflowgen.adversaries import of_features

    check_choice(protocol, evaluation.PROTOCOLS, "protocol")
    check_choice(dissector, get_args(Dissector), "dissector")
    check_whole(window, 2, "window")
    check_whole(windows, 5, "windows")
    check_whole(splits, 2, "splits")
    check_whole(seed, 0, "seed")
    chosen = _chosen([adversaries] if isinstance(adversaries, str) else adversaries)
    if not isinstance(real, Captures):
        real = read_captures(real, device=device, dissector=dissector, progress=progress)
    with _as_files(fake, progress) as files:
        read = partial(
            evaluation.read_honeydata, files, window, dissector=dissector, progress=progress
        )
        traces: Sequence[Trace] = real
        try:
            if of_packets := not set(chosen) <= {*of_features()}:
                traces = with_headers(real.with_frames())
            synthetic = read(headers=of_packets)
        except HeadersMissing as error:
            if adversaries is not None:
                raise
            _leave_out([name for name in chosen if name not in of_features()], error)
            chosen, synthetic = list(of_features()), read()
        streams: list[Trace] = []
        for name in [name for name in chosen if ADVERSARIES[name].stretch_ns]:
            length_ns = ADVERSARIES[name].stretch_ns
            try:
                streams = streams or evaluation.read_streams(files, dissector=dissector)
                evaluation.long_pairs(protocol, traces, streams, length_ns, splits=splits)
            except (EvaluationError, TooShort) as error:
                if adversaries is not None:
                    raise
                _leave_out([name], error)
                chosen.remove(name)
    results = evaluation.evaluate(
        traces,
        synthetic,
        protocol,
        chosen,
        device=real.name,
        generator=fake.name if isinstance(fake, Honeydata) else _names(files),
        streams=streams,
        seed=seed,
        windows=windows,
        splits=splits,
        progress=progress,
    )
    return Evaluation(results)


def _leave_out(names: Sequence[str], error: Exception) -> None:
    left_out = ", ".join(names)
    warnings.warn(f"{left_out} is left out: {error}", CaptureWarning, stacklevel=3)


def _chosen(asked: Iterable[str] | None) -> list[str]:
    """The adversaries asked for, each once, or all that can be imported."""
    if asked is None:
        missing = ADVERSARIES.missing()
        for name, error in missing.items():
            warnings.warn(f"{name} is left out: {error}", CaptureWarning, stacklevel=3)
        return [name for name in ADVERSARIES if name not in missing]
    chosen = list(dict.fromkeys(asked))
    for name in chosen:
        check_choice(name, ADVERSARIES, "adversary")
    return chosen


@contextmanager
def _as_files(fake: Paths | Honeydata, progress: Progress) -> Iterator[list[Path]]:
    """Synthetic traffic as files that are there for as long as this lasts."""
    if not isinstance(fake, Honeydata):
        yield paths_of(fake)
        return
    with tempfile.TemporaryDirectory(prefix="iotflowgen-") as folder:
        written = fake.to_pcap(Path(folder) / f"{fake.name}.pcapng", progress=progress)
        yield [written.path]


def _names(files: Iterable[Path]) -> str:
    return ", ".join(file.name for file in files)
