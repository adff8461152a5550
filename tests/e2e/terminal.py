"""A program on a terminal: a pseudo-terminal with a model of its screen (pyte)."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable

import pyte


class Terminal:
    """Runs a command on a terminal of its own."""

    def __init__(self, command: list[str], columns: int = 80, rows: int = 24, environment: dict[str, str] | None = None):
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.status: int | None = None
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.environ |= {"TERM": "xterm-256color", "TZ": "UTC"} | (environment or {})
            os.execvp(command[0], command)
        self._size(columns, rows)

    def _size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds: float = 0.1) -> None:
        """Takes in what is written within a time."""
        end = time.monotonic() + seconds
        if self._fd < 0:
            time.sleep(seconds)
            return
        while (left := end - time.monotonic()) > 0:
            if not select.select([self._fd], [], [], left)[0]:
                return
            try:
                data = os.read(self._fd, 1 << 16)
            except OSError:
                return
            if not data:
                return
            self.raw += data
            self._stream.feed(data)

    @property
    def lines(self) -> list[str]:
        # The cell behind a wide letter is empty.
        cells = [[self.screen.buffer[row][column].data for column in range(self.screen.columns)] for row in range(self.screen.lines)]
        return ["".join(line).rstrip() for line in cells]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, condition: str | Callable[[str], object], seconds: float = 45) -> str:
        """The screen once it shows a text, or a condition holds for it."""
        holds = condition if callable(condition) else lambda text: condition in text
        end = time.monotonic() + seconds
        while not holds(self.text):
            assert time.monotonic() < end, f"not shown: {condition}\n{self.text}"
            self.read()
        return self.text

    def type(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        self.screen.resize(rows, columns)
        self._size(columns, rows)

    def is_raw(self) -> bool:
        """Whether keys reach the program one by one, unseen."""
        return not termios.tcgetattr(self._fd)[3] & termios.ICANON

    def is_stopped(self) -> bool:
        with open(f"/proc/{self.pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "T"

    def cpu_seconds(self) -> float:
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self, seconds: float = 45) -> int:
        """The exit status, once it has ended."""
        end = time.monotonic() + seconds
        while self.status is None:
            assert time.monotonic() < end, f"still running\n{self.text}"
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        self.read(0.2)
        return self.status

    def close(self) -> None:
        """Hangs up, as an emulator does whose window is closed."""
        os.close(self._fd)
        self._fd = -1

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGCONT)
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self._fd >= 0:
            os.close(self._fd)
