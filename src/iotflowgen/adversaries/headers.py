"""Gradient boosting over the fields of headers, and what they do from packet to packet.

What is read, and why addresses are roles, stands in `capture.headers`. Of each field, and of each
direction by itself, a window is summed up by mean, least, most, how many packets have it, and how
many different values. Field by field and packet by packet, as `boosting` has it besides, finds no
more at several times the cost (docs/decisions/012).

Shapes: N windows, L packets each, F header fields, S numbers a window.
"""

import numpy as np
from numpy.typing import NDArray

from iotflowgen.adversaries.boosting import Boosting
from iotflowgen.errors import HeadersMissing
from iotflowgen.traffic import Windows

__all__ = ["HeaderBoosting"]


class HeaderBoosting(Boosting):
    """Histogram gradient boosting over a summary of a window's header fields.

    Raises:
        HeadersMissing: `fit` or `score` was given windows without headers.
    """

    name = "headers"
    needs_headers = True

    def rows(self, windows: Windows) -> NDArray[np.float64]:
        """What trees learn from (N, S)."""
        if windows.headers is None:
            raise HeadersMissing("headers needs packets: give a pcap")
        sides = (windows.outgoing, ~windows.outgoing)
        said = (np.where(side[..., None], windows.headers, np.nan) for side in sides)
        return np.concatenate([_summary(fields_NLF) for fields_NLF in said], axis=1)


def _summary(fields_NLF: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean, least, most, count, and count of different values of each field: (N, 5 F)."""
    there_NLF = ~np.isnan(fields_NLF)
    count_NF = there_NLF.sum(axis=1)
    total_NF = np.where(there_NLF, fields_NLF, 0).sum(axis=1)
    mean_NF = np.divide(total_NF, count_NF, out=np.full(total_NF.shape, np.nan), where=count_NF > 0)
    # what is missing stands last, and differs from whatever it is compared with
    ascending_NLF = np.sort(fields_NLF, axis=1)
    steps_NLF = (np.diff(ascending_NLF, axis=1) != 0) & ~np.isnan(ascending_NLF[:, 1:])
    distinct_NF = np.minimum(count_NF, 1) + steps_NLF.sum(axis=1)
    least_NF, most_NF = np.fmin.reduce(fields_NLF, axis=1), np.fmax.reduce(fields_NLF, axis=1)
    return np.concatenate([mean_NF, least_NF, most_NF, count_NF, distinct_NF], axis=1)
