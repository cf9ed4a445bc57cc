"""Addresses of decoys: leased from the network's server, or probed for before they are used."""

__all__: list[str] = []
