"""A sysfs with RAPL zones, whose counters stand where a test puts them."""

import os
from pathlib import Path

# 2^32 units of 61 µJ, as Intel's packages.
RANGE = 262_143_328_850


class PowercapTree:
    def __init__(self, root: Path):
        self.sysfs = root / "sys"
        self._class = self.sysfs / "class/powercap"
        self._class.mkdir(parents=True)

    def add_zone(self, entry: str, name: str, microjoules: int) -> None:
        folder = self._class / entry
        folder.mkdir()
        (folder / "name").write_text(f"{name}\n")
        (folder / "max_energy_range_uj").write_text(f"{RANGE}\n")
        self.set(entry, microjoules)

    def set(self, entry: str, content: int | str) -> None:
        """What the counter shows from now on, under descriptors that are open already as well, and never a part of it."""
        file = os.open(self.counter(entry), os.O_WRONLY | os.O_CREAT, 0o644)
        text = f"{content}\n".encode() if content != "" else b""
        # One write: a file that is emptied first would be read empty now and then.
        text = text.rjust(os.fstat(file).st_size, b"0") if isinstance(content, int) else text
        os.pwrite(file, text, 0)
        os.ftruncate(file, len(text))
        os.close(file)

    def counter(self, entry: str) -> Path:
        return self._class / entry / "energy_uj"

    def remove(self, entry: str) -> None:
        """The zone vanishes. An open descriptor of a regular file does not fail as one of sysfs
        would, so that the file is emptied before."""
        self.set(entry, "")
        for file in (self._class / entry).iterdir():
            file.unlink()
        (self._class / entry).rmdir()
