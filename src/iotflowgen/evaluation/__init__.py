"""How detectable synthetic traffic is, measured so that the figure can be trusted."""

from iotflowgen.extras import naming_extras

with naming_extras():
    from iotflowgen.evaluation.benchmark import Benchmark, BenchmarkConfig
    from iotflowgen.evaluation.cross_validation import (
        Detection,
        cross_validate,
        cross_validate_groups,
    )
    from iotflowgen.evaluation.description import describe, measure
    from iotflowgen.evaluation.evaluate import evaluate
    from iotflowgen.evaluation.honeydata import read_honeydata
    from iotflowgen.evaluation.identification import identify
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
    from iotflowgen.evaluation.trials import PROTOCOLS, EvaluationWarning, Protocol, Trial, trials

__all__ = [
    "PROTOCOLS",
    "Attack",
    "Benchmark",
    "BenchmarkConfig",
    "Cell",
    "Detection",
    "Device",
    "EvaluationWarning",
    "Identification",
    "Profile",
    "Protocol",
    "Results",
    "Sample",
    "Trial",
    "cross_validate",
    "cross_validate_groups",
    "describe",
    "evaluate",
    "identify",
    "measure",
    "profile",
    "read_honeydata",
    "read_results",
    "trials",
]
