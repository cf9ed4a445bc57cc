"""What there is a choice of, by name: generators, adversaries, metrics and codecs.

A name stands for `module:attribute`, imported when it is asked for: some need libraries that take
seconds, or are not installed. Those of this package stand here. Another distribution adds its own
by entry points, in a group that is called as the table is::

    [project.entry-points."iotflowgen.generators"]
    toy = "my_package:Toy"
"""

from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from iotflowgen.errors import ExtraMissing, PluginError
from iotflowgen.extras import naming_extras

__all__ = ["ADVERSARIES", "CODECS", "GENERATORS", "METRICS", "Plugins"]


class Plugins(Mapping[str, Any]):
    """Those of this package, in the order given, then those of others, by name.

    Raises:
        ExtraMissing: What is asked for needs a library that is not installed.
        PluginError: What is asked for is another distribution's, and cannot be imported.
    """

    def __init__(self, kind: str, own: Mapping[str, str]) -> None:
        self._group = f"iotflowgen.{kind}"
        self.own = {name: EntryPoint(name, where, self._group) for name, where in own.items()}

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - whatever has that name
        if name in self.own:
            with naming_extras():
                return self.own[name].load()
        point = self.of_others()[name]
        try:
            return point.load()
        except (ImportError, AttributeError) as error:
            by = f" of {point.dist.name}" if point.dist else ""
            raise PluginError(
                f"{name}{by}, an entry point of {self._group}, cannot be loaded: {error}; "
                "install what it lacks, or uninstall it"
            ) from error

    def __contains__(self, name: object) -> bool:
        return name in self.own or name in self.of_others()

    def __iter__(self) -> Iterator[str]:
        yield from self.own
        yield from self.of_others()

    def __len__(self) -> int:
        return len(self.own) + len(self.of_others())

    def missing(self) -> dict[str, ExtraMissing]:
        """Those whose libraries are not installed, and the error that says which extra has them."""
        missing = {}
        for name in self:
            try:
                self[name]
            except ExtraMissing as error:
                missing[name] = error
        return missing

    def of_others(self) -> dict[str, EntryPoint]:
        """Those of other distributions.

        They are looked up each time: only where names are listed, or one is not our own.
        """
        found = {point.name: point for point in entry_points(group=self._group)}
        return {name: found[name] for name in sorted(found.keys() - self.own.keys())}


GENERATORS = Plugins(
    "generators",
    {
        "iotflow": "iotflowgen.generators.iotflow:IoTFlow",
        "doppelganger": "iotflowgen.generators.doppelganger:DoppelGANger",
        "markov": "iotflowgen.generators.markov:Markov",
        "replay": "iotflowgen.generators.replay:Replay",
        "sessions": "iotflowgen.generators.sessions:Sessions",
    },
)
"""Classes with what `generators.Generator` says, by the names of `fit --generator`."""

ADVERSARIES = Plugins(
    "adversaries",
    {
        "packet-metadata": "iotflowgen.adversaries.packet_metadata:PacketMetadata",
        "boosting": "iotflowgen.adversaries.boosting:Boosting",
        "rocket": "iotflowgen.adversaries.rocket:Rocket",
        "headers": "iotflowgen.adversaries.headers:HeaderBoosting",
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
        "dns": "iotflowgen.packets.datagrams:DnsIds",
        "bootp": "iotflowgen.packets.datagrams:Leases",
        "icmp": "iotflowgen.packets.datagrams:Echoes",
        "ntp": "iotflowgen.packets.datagrams:Ntp",
        "ip_ids": "iotflowgen.packets.hosts:IpIds",
        "quotes": "iotflowgen.packets.datagrams:Quotes",
        "retransmissions": "iotflowgen.packets.payload:Retransmissions",
    },
)
"""Classes with what `packets.Codec` says, by their names, in the order in which they write."""
