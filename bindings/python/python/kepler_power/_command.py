"""A command that is run while signals are passed on to it, as `kepler measure` does."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence

_ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_PASSED_ON = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2}
# si_code of what the kernel sends, as a terminal does to the whole process group (sigaction(2)): the command has it too.
_BY_KERNEL = 0x80


class Signals:
    """Receives signals instead of acting on them. Threads that start inside receive none."""

    def __enter__(self) -> Signals:
        self._received = _PASSED_ON | {signal.SIGCHLD}
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, self._received)
        return self

    def __exit__(self, *error: object) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)

    def sleep(self, seconds: float) -> None:
        """Waits so long.

        :raises InterruptedError: a signal asks to end.
        """
        if signal.sigtimedwait(_ENDING, seconds) is not None:
            raise InterruptedError

    def run(self, command: Sequence[str]) -> int:
        """Runs a command until it ends: its status, or minus the signal that ended it.

        :raises OSError: it cannot be started.
        """
        # The command inherits what was blocked before. Here all stay blocked: one that comes between would end this program.
        before = self._before
        child = subprocess.Popen(command, preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, before))
        while True:
            status = child.poll()
            if status is not None:
                return status
            got = signal.sigwaitinfo(self._received)
            if got.si_signo in _PASSED_ON and got.si_code != _BY_KERNEL:
                child.send_signal(got.si_signo)
