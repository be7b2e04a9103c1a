"""Readings of the machine: processor, memory, disk, network and GPUs."""
