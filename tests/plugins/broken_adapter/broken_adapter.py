"""An adapter that cannot be imported."""

from __future__ import annotations

message = "this adapter is broken"
raise RuntimeError(message)
