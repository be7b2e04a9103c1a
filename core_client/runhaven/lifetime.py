"""What goes on around a live run: heartbeat, console, machine load, environment, commands, and how it ends."""

from __future__ import annotations

import _thread
import contextlib
import logging
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runhaven.background import SERVICE_INTERVAL_S, Background, Task
from runhaven.capture import environment
from runhaven.capture.console import Console
from runhaven.capture.exceptions import describe_exception
from runhaven.capture.gpus import held_gpus
from runhaven.capture.surroundings import Surroundings
from runhaven.sealed.seal import can_seal, pending_bytes, seal
from runhaven.store.layout import RunDirectory

if TYPE_CHECKING:
    from runhaven._run import Run
    from runhaven.capture.signals import SignalWatch
    from runhaven.journal.writer import JournalWriter
    from runhaven.machine_load import MachineLoad
    from runhaven.recorder import Recorder

logger = logging.getLogger("runhaven")

SNAPSHOT_INTERVAL_S = 5.0
HEARTBEAT_INTERVAL_S = 10.0
CONTROL_INTERVAL_S = 2.0
LIVE_FILES_INTERVAL_S = 30.0
FINISH_TIMEOUT_S = 10.0
SEALED_FROM_BYTES = 256 << 10
SEALED_TO_BYTES = 2 << 20
# One video may take minutes; nothing at all in so long means that something hangs.
MEDIA_PATIENCE_S = 300.0
MEDIA_PATIENCE_OF_SIGNALS_S = 2.0
_SHOWN = 10


class Lifetime:
    """Starts and ends what runs beside the training for one run in one process."""

    def __init__(self, run: Run, journal: JournalWriter, recorder: Recorder, channel: SignalWatch) -> None:
        """Prepare; `start` begins."""
        self._run = run
        self._journal = journal
        self._recorder = recorder
        self._channel = channel
        self._started = time.monotonic()
        self._snapshot_number = 0
        self._said_lost = 0
        self._is_said = False
        self._load: MachineLoad | None = None
        self._gpus: list[dict[str, Any]] = []
        self._console: Console | None = None
        self._surroundings: Surroundings | None = None
        self._background = Background(
            channel,
            [
                Task(SERVICE_INTERVAL_S, self._journal.service),
                Task(SERVICE_INTERVAL_S, self._recorder.settle),
                Task(SERVICE_INTERVAL_S, self._drain),
                Task(SERVICE_INTERVAL_S, self._tell_trouble),
                Task(CONTROL_INTERVAL_S, self._obey),
                Task(SNAPSHOT_INTERVAL_S, self._snapshot),
                Task(HEARTBEAT_INTERVAL_S, self._beat),
                Task(HEARTBEAT_INTERVAL_S, self._tell_gpus),
                Task(LIVE_FILES_INTERVAL_S, self._run.refresh_files),
            ],
            on_signal=self._on_signal,
        )

    # Begin

    def start(self) -> None:
        """Begin all that the settings ask for."""
        settings = self._run.settings
        self._channel.install()
        if settings.console != "off":
            self._console = Console(self._on_console)
            self._console.install()
        self._background.start()
        is_main = self._run.role == "main"
        if is_main and settings.code and not settings.disable_code:
            self._surroundings = self._begin_surroundings()
        if not settings.x_disable_stats:
            self._start_machine_load()

    def greet(self) -> None:
        """Print the one line that says where the run goes."""
        run, notices = self._run, self._run.notices
        if run.role == "main" and run.identity.directory is not None:
            verb = "goes on" if run.resumed else "starts"
            place = _shorten(run.identity.directory.parents[2])
            hint = notices.dim("see it with: runhaven ui")
            notices.say(f"{notices.strong(run.name)} {verb}, project {run.project} in {place}  {hint}")

    def _part(self, exit_code: int) -> None:
        """Print what the run came to, and where it lies."""
        run, notices = self._run, self._run.notices
        if run.role != "main" or run.identity.directory is None:
            return
        word = "finished" if exit_code == 0 else f"failed with exit code {exit_code}"
        minutes, seconds = divmod(time.monotonic() - self._started, 60)
        took = f"{minutes:.0f}m {seconds:02.0f}s" if minutes else f"{seconds:.1f}s"
        shown = [(key, value) for key, value in run.summary.items() if isinstance(value, int | float | str)]
        width = max((len(key) for key, _ in shown[:_SHOWN]), default=0)
        lines = [f"{notices.strong(run.name)} {word} after {took}"]
        lines += [f"    {key:<{width}}  {_short(value)}" for key, value in shown[:_SHOWN]]
        if len(shown) > _SHOWN:
            lines.append(notices.dim(f"    and {len(shown) - _SHOWN} more: runhaven show {run.id}"))
        lines += [f"    {line}" for line in self._load.describe()] if self._load else []
        notices.say("\n".join([*lines, notices.dim(f"    {_shorten(run.identity.directory)}")]))

    def start_quietly(self) -> None:
        """Begin only what the journal needs; for a forked child."""
        self._background.start()

    def _begin_surroundings(self) -> Surroundings:
        run = self._run
        surroundings = Surroundings(
            lambda facts: run.emit({"event": "environment", "set": facts}),
            lambda text: run.notices.warn(text, about="surroundings"),
            directory=run.identity.directory and run.identity.directory / "files",
            asks_git=not run.settings.disable_git,
        )
        surroundings.begin()
        return surroundings

    def _start_machine_load(self) -> None:
        # Comes with the monitor, which nothing else needs.
        from runhaven.machine_load import MachineLoad

        run = self._run
        if run.identity.directory is not None:
            self._load = MachineLoad(
                run.identity.directory,
                self._journal,
                interval_s=run.settings.x_stats_sampling_interval,
                reads_engines=run.settings.x_stats_gpu_engines,
                emit=run.emit,
                alert=run.alert,
            )
            self._load.start()

    # Go on

    def _drain(self) -> None:
        if self._console is not None:
            self._console.drain()

    def _on_console(self, stream: str, lines: list[tuple[int, str]]) -> None:
        self._run.emit({"event": "console", "stream": stream, "lines": lines})

    def write_log(self, text: str) -> None:
        """Add text to the console log without printing it."""
        now = time.time_ns() // 1000
        self._on_console("stdout", [(now, line) for line in text.splitlines()])

    def keep_output(self, stream: str, text: str) -> None:
        """Add to the console log what another process printed.

        Args:
            stream: "stdout" or "stderr".
            text: What it printed; lines may come in pieces.
        """
        if self._console is not None:
            self._console.feed(stream, text)

    def _beat(self) -> None:
        self._run.emit({"event": "heartbeat"})

    def _tell_gpus(self) -> None:
        """Say which GPUs this rank computes on, when that changes."""
        held = held_gpus()
        if held != self._gpus:
            self._gpus = held
            self._run.emit({"event": "gpus", "stream": f"node={environment.host_name()}", "gpus": held})

    def _snapshot(self) -> None:
        if self._journal.number != self._snapshot_number:
            # No row may come between what is summed up and its record: readers leave out all rows before that.
            self._journal.exclusively(self._put_snapshot)
            self._snapshot_number = self._journal.number

    def _put_snapshot(self) -> None:
        recorder = self._recorder
        summed = {"summary": recorder.summary(), "counts": recorder.counts(), "last_step": recorder.last_step}
        self._run.emit({"event": "snapshot", **summed})

    def _tell_trouble(self) -> None:
        """Say once that rows wait or are lost, and mark the run."""
        trouble = self._journal.trouble
        if trouble is None:
            return
        if not self._is_said:
            self._is_said = True
            self._run.notices.warn(
                f"the run cannot be written: {trouble.reason}. Training goes on; rows wait in memory, and what does not "
                "fit there is counted and left out.",
                about="trouble",
            )
            logger.debug("journal trouble: %s", trouble)

    def _obey(self) -> None:
        """Carry out the commands that lie in the run's control directory."""
        directory = self._run.identity.directory
        if directory is None or self._run.role != "main":
            return
        stop = directory / "control" / "stop"
        if stop.exists():
            with contextlib.suppress(OSError):
                stop.unlink()
            self._run.notices.say("asked to stop: raising KeyboardInterrupt in the main thread.")
            _interrupt_main()

    # End

    def _on_signal(self, number: int) -> None:
        """Note a signal that ends the process, make all safe, and let it end the process."""
        self.note_signal(number)
        self._channel.die(number)

    def note_signal(self, number: int) -> None:
        """Note the signal that ends the run, and make all safe; nothing may be logged after that."""
        name = signal.Signals(number).name
        self._run.emit({"event": "signal", "signal": name}, is_vital=True)
        self._drain()
        self._recorder.settle_rich(patience_s=MEDIA_PATIENCE_OF_SIGNALS_S)
        self._snapshot()
        self._journal.service()

    def note_exception(self, error: BaseException, *, is_fatal: bool = True) -> None:
        """Keep an exception that ended the run or one of its threads."""
        self._run.emit({"event": "exception", **describe_exception(error), "fatal": is_fatal})

    def finish(self, exit_code: int) -> None:
        """End everything and close the journal; waits only so long for a disk on which nothing moves."""
        if self._load is not None:
            self._load.stop()
        if self._surroundings is not None:
            self._surroundings.end()
        if self._console is not None:
            self._console.uninstall()
        if not self._recorder.settle_rich(patience_s=MEDIA_PATIENCE_S):
            self._run.notices.warn("media that were logged last are missing: writing them hangs.", about="hung media")
        has_ended = self._background.stop(lambda: self._close(exit_code), timeout_s=FINISH_TIMEOUT_S)
        self._channel.uninstall()
        if has_ended:
            self._part(exit_code)
        else:
            self._run.notices.warn("the disk did not answer; the run's last rows may be missing.", about="hung")

    def _close(self, exit_code: int) -> None:
        self._recorder.settle(wait=True)
        if self._console is not None:
            self._console.close()
        self._run.refresh_files(is_end=True)
        self._tell_gpus()
        self._snapshot()
        self._journal.service()
        self._journal.give_up()
        trouble = self._journal.trouble
        lost = (trouble.lost if trouble else 0) + self._recorder.lost + self._recorder.lost_rich
        if lost:
            reason = trouble.reason if trouble else "a device failed" if self._recorder.lost else "media came too fast"
            self._run.emit({"event": "incomplete", "reason": reason, "lost_rows": lost}, is_vital=True)
        if self._run.role == "main":
            self._run.emit({"event": "finish", "exit_code": exit_code}, is_vital=True)
        self._journal.close()
        self._seal()

    def _seal(self) -> None:
        """Seal a run that is large enough to be worth it, and small enough not to hold up the end of the process."""
        directory = self._run.identity.directory
        if directory is None or self._run.role != "main" or "numpy" not in sys.modules:
            return
        run = RunDirectory(directory)
        if can_seal() and SEALED_FROM_BYTES <= pending_bytes(run) <= SEALED_TO_BYTES:
            try:
                seal(run)
            except Exception:
                logger.debug("the run could not be sealed", exc_info=True)

    def after_fork(self) -> None:
        """Let go, in a forked child, of what is the parent's."""
        if self._load is not None:
            self._load.after_fork()
        if self._console is not None:
            self._console.uninstall()
        self._channel.after_fork()
        self._journal.disown()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began in this process."""
        return time.monotonic() - self._started


def _shorten(path: Path) -> str:
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)


def _short(value: float | str) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)[:60]


def _interrupt_main() -> None:
    """Raise KeyboardInterrupt in the main thread, also while it waits for something."""
    ident = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and ident is not None:
        signal.pthread_kill(ident, signal.SIGINT)
    else:
        _thread.interrupt_main()
