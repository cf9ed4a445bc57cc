"""The library: captures to a model, a model to honeydata, honeydata against captures.

Everything here stands at the top of the package as well, which is where to take it from.
"""

from iotflowgen.library.captures import Captures, read_captures
from iotflowgen.library.evaluation import Evaluation, evaluate
from iotflowgen.library.fitting import fit, load
from iotflowgen.library.honeydata import Honeydata, HoneydataWarning
from iotflowgen.library.model import Model
from iotflowgen.library.persona import Persona
from iotflowgen.library.written import Written

__all__ = [
    "Captures",
    "Evaluation",
    "Honeydata",
    "HoneydataWarning",
    "Model",
    "Persona",
    "Written",
    "evaluate",
    "fit",
    "load",
    "read_captures",
]
