"""What a directory of runs holds: its layout, the ids in it, and the state of a run folded from its journals."""
