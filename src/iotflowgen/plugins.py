"""What there is a choice of, by name: generators, adversaries, metrics and codecs.

A name stands for `module:attribute`, imported when it is asked for: some need libraries that take
seconds, or are not installed. Built-in ones stand here. Another distribution adds its own
by entry points, in a group that is called as the table is::

    [project.entry-points."iotflowgen.generators"]
    toy = "my_package:Toy"
"""

from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from iotflowgen.errors import ExtraMissing, IoTFlowGenError, PluginError
from iotflowgen.extras import naming_extras

__all__ = ["ADVERSARIES", "CODECS", "GENERATORS", "METRICS", "Plugins"]


class Plugins(Mapping[str, Any]):
    """Built-in ones, in the order given, then those of other distributions, by name.

    Raises:
        ExtraMissing: What is asked for needs a library that is not installed.
        PluginError: What is asked for is another distribution's, and cannot be imported.
    """

    def __init__(self, kind: str, built_in: Mapping[str, str]) -> None:
        self._group = f"iotflowgen.{kind}"
        self.built_in = {
            name: EntryPoint(name, where, self._group) for name, where in built_in.items()
        }

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - whatever has that name
        if name in self.built_in:
            with naming_extras():
                return self.built_in[name].load()
        point = self.external()[name]
        try:
            return point.load()
        except (ImportError, AttributeError) as error:
            by = f" of {point.dist.name}" if point.dist else ""
            raise PluginError(
                f"{name}{by}, an entry point of {self._group}, cannot be loaded: {error}; "
                "install what it lacks, or uninstall it"
            ) from error

    def __contains__(self, name: object) -> bool:
        return name in self.built_in or name in self.external()

    def __iter__(self) -> Iterator[str]:
        yield from self.built_in
        yield from self.external()

    def __len__(self) -> int:
        return len(self.built_in) + len(self.external())

    def missing(self) -> dict[str, IoTFlowGenError]:
        """Those that cannot be imported, and the error that says what to install."""
        missing: dict[str, IoTFlowGenError] = {}
        for name in self:
            try:
                self[name]
            except (ExtraMissing, PluginError) as error:
                missing[name] = error
        return missing

    def external(self) -> dict[str, EntryPoint]:
        """Those of other distributions.

        They are looked up each time: only where names are listed, or one is not built in.
        """
        found = {point.name: point for point in entry_points(group=self._group)}
        return {name: found[name] for name in sorted(found.keys() - self.built_in.keys())}


GENERATORS = Plugins(
    "generators",
    {
        "iotflow": "iotflowgen.generators.iotflow:IoTFlow",
        "doppelganger": "iotflowgen.generators.doppelganger:DoppelGANger",
        "markov": "iotflowgen.generators.markov:Markov",
        "replay": "iotflowgen.generators.replay:Replay",
        "sessions": "iotflowgen.generators.sessions:Sessions",
        "activities": "iotflowgen.generators.activities:Activities",
    },
)
"""Classes with what `generators.Generator` says, by the names of `fit --generator`."""

ADVERSARIES = Plugins(
    "adversaries",
    {
        "packet-metadata": "iotflowgen.adversaries.packet_metadata:PacketMetadata",
        "published": "iotflowgen.adversaries.published:Published",
        "boosting": "iotflowgen.adversaries.boosting:Boosting",
        "rocket": "iotflowgen.adversaries.rocket:Rocket",
        "headers": "iotflowgen.adversaries.headers:HeaderBoosting",
        "rhythm": "iotflowgen.adversaries.rhythm:Rhythm",
        "rhythm-minutes": "iotflowgen.adversaries.rhythm:RhythmOfMinutes",
    },
)
"""Classes with what `adversaries.Adversary` says, by the names of `evaluate --adversary`."""

METRICS = Plugins(
    "metrics",
    {
        "copied_share": "iotflowgen.evaluation.metrics.copying:copied_share",
        "copied_run": "iotflowgen.evaluation.metrics.copying:copied_run",
        "nearest_distance": "iotflowgen.evaluation.metrics.copying:nearest_distance",
        "membership_inference": "iotflowgen.evaluation.metrics.copying:membership_inference",
        "unique_share": "iotflowgen.evaluation.metrics.variety:unique_share",
        "precision_recall": "iotflowgen.evaluation.metrics.variety:precision_recall",
        "density_coverage": "iotflowgen.evaluation.metrics.variety:density_coverage",
        "field_distance": "iotflowgen.evaluation.metrics.fields:field_distance",
        "duration_distance": "iotflowgen.evaluation.metrics.fields:duration_distance",
        "duration_autocorrelation": "iotflowgen.evaluation.metrics.fields:duration_autocorrelation",
    },
)
"""Functions as `evaluation.metrics.Metric`, by the names that results have."""

CODECS = Plugins(
    "codecs",
    {
        "tcp": "iotflowgen.packets.tcp:SequenceNumbers",
        "windows": "iotflowgen.packets.tcp:ReceiveWindows",
        "endpoints": "iotflowgen.packets.hosts:Endpoints",
        "times_to_live": "iotflowgen.packets.hosts:TimesToLive",
        "timestamps": "iotflowgen.packets.tcp:Timestamps",
        "random": "iotflowgen.packets.payload:Random",
        "tls": "iotflowgen.packets.payload:TlsRecords",
        "http": "iotflowgen.packets.payload:HttpLengths",
        "dates": "iotflowgen.packets.payload:Dates",
        "transactions": "iotflowgen.packets.transactions:Transactions",
        "announced": "iotflowgen.packets.transactions:Announced",
        "dns": "iotflowgen.packets.datagrams:DnsIds",
        "bootp": "iotflowgen.packets.datagrams:BootpIds",
        "icmp": "iotflowgen.packets.datagrams:Echoes",
        "ntp": "iotflowgen.packets.datagrams:Ntp",
        "ip_ids": "iotflowgen.packets.hosts:IpIds",
        "fragments": "iotflowgen.packets.datagrams:Fragments",
        "quotes": "iotflowgen.packets.datagrams:Quotes",
        "retransmissions": "iotflowgen.packets.payload:Retransmissions",
    },
)
"""Classes with what `packets.Codec` says, by their names, in the order in which they write."""
