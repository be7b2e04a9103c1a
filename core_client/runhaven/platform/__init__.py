"""The system calls that differ between operating systems, and nothing else."""
