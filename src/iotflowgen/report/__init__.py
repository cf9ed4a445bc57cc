"""Results -> one HTML page with tables, plots, and what they mean in words."""

from iotflowgen.extras import naming_extras

with naming_extras():
    from iotflowgen.report.page import write_report
    from iotflowgen.report.paper_table1 import PAPER_TABLE_1, PaperAccuracy

__all__ = ["PAPER_TABLE_1", "PaperAccuracy", "write_report"]
