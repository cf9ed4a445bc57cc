"""Compiles the writing of packets with mypyc where IOTFLOWGEN_COMPILE is set (`make compiled`).

What is compiled is the same Python that runs everywhere else, and writes the same bytes.
"""

import os

from setuptools import Extension, setup

COMPILED = (
    "bodies", "build", "choices", "chooser", "clocks", "connections", "conversations", "counters",
    "delays", "drafts", "endings", "filler", "kinds", "layout", "lookahead", "lookups", "meetings",
    "openings", "pcap", "ready", "receiving", "recognition", "records", "repeats", "segments",
    "stopgaps", "succession", "template", "times",
)  # fmt: skip
"""Modules of `iotflowgen.packets` that every packet comes through."""


def extensions() -> list[Extension]:
    """What setuptools is to compile: nothing, unless asked for."""
    if not os.environ.get("IOTFLOWGEN_COMPILE"):
        return []
    from mypyc.build import mypycify  # noqa: PLC0415 - a tool of developers

    paths = [f"src/iotflowgen/packets/{name}.py" for name in COMPILED]
    return mypycify(paths, opt_level="3", debug_level="0", group_name="iotflowgen_packets")


setup(ext_modules=extensions())
