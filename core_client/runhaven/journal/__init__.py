"""The append-only record of one writer: frames, tail, writer and reader, in the standard library alone."""
