"""What a run keeps without being asked: console, environment, git state, exceptions and signals."""
