"""Generators of time series from PyPI, behind the interface of this project's generators."""
