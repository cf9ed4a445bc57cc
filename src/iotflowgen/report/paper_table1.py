"""Table 1 of the paper: accuracy of the synthetic-data-aware adversary (section 5.2)."""

from typing import NamedTuple

__all__ = ["PAPER_TABLE_1", "PaperAccuracy"]


class PaperAccuracy(NamedTuple):
    """What the paper reports of one device, as shares."""

    iotg: float
    """Against IoTFlowGenerator."""
    dg: float
    """Against DoppelGANger."""


PAPER_TABLE_1 = {
    "D-LinkCam": PaperAccuracy(0.724, 1.000),
    "D-LinkDoorSensor": PaperAccuracy(0.599, 0.993),
    "D-LinkHomeHub": PaperAccuracy(0.648, 0.952),
    "D-LinkSensor": PaperAccuracy(0.646, 0.972),
    "D-LinkSiren": PaperAccuracy(0.712, 1.000),
    "D-LinkSwitch": PaperAccuracy(0.632, 0.954),
    "D-LinkWaterSensor": PaperAccuracy(0.624, 0.931),
    "EdimaxPlug1101W": PaperAccuracy(0.598, 0.917),
    "EdnetGateway": PaperAccuracy(0.613, 0.905),
    "HomeMaticPlug": PaperAccuracy(0.615, 0.853),
    "HueBridge": PaperAccuracy(0.614, 0.964),
    "HueSwitch": PaperAccuracy(0.726, 0.941),
    "MAXGateway": PaperAccuracy(0.626, 0.910),
    "WeMoInsightSwitch": PaperAccuracy(0.768, 0.929),
    "WeMoInsightSwitch2": PaperAccuracy(0.575, 0.939),
    "WeMoLink": PaperAccuracy(0.593, 0.993),
    "WeMoSwitch": PaperAccuracy(0.589, 1.000),
    "Withings": PaperAccuracy(0.601, 0.820),
}
"""By the folder's name in the public captures, which is the paper's name of the device."""
