"""How detectable synthetic traffic is, measured so that the figure can be trusted."""

from iotflowgen.extras import naming_extras

with naming_extras():
    from iotflowgen.evaluation.benchmark import Benchmark, BenchmarkConfig
    from iotflowgen.evaluation.cross_validation import (
        Detection,
        cross_validate,
        cross_validate_groups,
    )
    from iotflowgen.evaluation.day import MINUTES, Day, typical_day
    from iotflowgen.evaluation.description import describe, measure
    from iotflowgen.evaluation.evaluate import evaluate, long_pairs
    from iotflowgen.evaluation.honeydata import read_honeydata, read_streams
    from iotflowgen.evaluation.identification import identify
    from iotflowgen.evaluation.long_trials import as_many_stretches, long_trials
    from iotflowgen.evaluation.profile import Profile, profile
    from iotflowgen.evaluation.results import (
        Attack,
        Cell,
        Device,
        Identification,
        Results,
        Sample,
        read_results,
    )
    from iotflowgen.evaluation.trials import (
        PROTOCOLS,
        EvaluationWarning,
        Protocol,
        Trial,
        trials,
    )

__all__ = [
    "MINUTES",
    "PROTOCOLS",
    "Attack",
    "Benchmark",
    "BenchmarkConfig",
    "Cell",
    "Day",
    "Detection",
    "Device",
    "EvaluationWarning",
    "Identification",
    "Profile",
    "Protocol",
    "Results",
    "Sample",
    "Trial",
    "as_many_stretches",
    "cross_validate",
    "cross_validate_groups",
    "describe",
    "evaluate",
    "identify",
    "long_pairs",
    "long_trials",
    "measure",
    "profile",
    "read_honeydata",
    "read_results",
    "read_streams",
    "trials",
    "typical_day",
]
