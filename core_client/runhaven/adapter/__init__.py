"""What every adapter is made of; a third party's too.

An adapter translates the events of a framework into calls of a run. What all of them owe their users lies here: an
`Adapter` finds or opens the run and keeps our errors out of the training, `Checkpoints` makes artifacts of what the
framework saved, `callers` finds out what no hook says, and `note_run` and `noted_run` let the run's id travel beside a checkpoint.
`call_before` and `call_after` are for what sets an adapter up without a word in the script.
`docs/integrations/writing-your-own.md` shows how they fit together.
"""

from __future__ import annotations

from runhaven.adapter.callers import callers
from runhaven.adapter.checkpoints import Checkpoints, LogModel
from runhaven.adapter.guard import guarded
from runhaven.adapter.joining import Adapter
from runhaven.adapter.note import note_run, noted_run
from runhaven.adapter.wrapping import call_after, call_before

__all__ = [
    "Adapter",
    "Checkpoints",
    "LogModel",
    "call_after",
    "call_before",
    "callers",
    "guarded",
    "note_run",
    "noted_run",
]
