"""Honeydata for IoT decoys: learn how a device talks, then generate traffic that never happened."""
