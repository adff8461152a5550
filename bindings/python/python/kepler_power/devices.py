"""GPUs and other accelerators in a measurement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional

from .quantities import Energy

if TYPE_CHECKING:
    from .source import Source

__all__ = ["Device", "visible"]


class Device:
    """What one accelerator drew, and this process's part of it. What is not known is ``None``, never zero."""

    __slots__ = (
        *("energy", "idle_energy", "instances", "is_uncertain", "name", "number", "process_energy", "seconds", "source"),
        *("tree_energy", "uuid", "vendor"),
    )

    uuid: str
    """``GPU-...``, else its PCI address."""
    instances: Sequence[str]
    """Those of the instances that it is divided into (MIG): ``MIG-...``."""
    number: int
    """Its number on the machine, as ``nvidia-smi`` counts."""
    name: str
    """The product."""
    vendor: str
    """``nvidia``, ``amd``, ``intel``, ..."""
    source: Source
    """The meter: ``nvml`` or ``drm``, and how good it is."""
    energy: Optional[Energy]
    """All that it drew; ``None`` where it was read less than twice meanwhile: it is read once a second."""
    idle_energy: Optional[Energy]
    """The part that it draws without work, too; ``None`` while idle and work cannot be told apart."""
    process_energy: Optional[Energy]
    """The part of this process, by how busy it kept the device."""
    tree_energy: Optional[Energy]
    """The same with the processes that it started."""
    seconds: float
    """How long the figures were read, which are for the time of the measurement."""
    is_uncertain: bool
    """Whether it could not be read in time, was reset, or the measurement is too short for its readings (below ten of them)."""

    def __init__(
        self,
        who: tuple[str, Sequence[str], int, str, str],
        source: Source,
        amounts: tuple[Optional[int], Optional[int], Optional[int], Optional[int]],
        seconds: float,
        is_uncertain: bool,
    ) -> None:
        self.uuid, self.instances, self.number, self.name, self.vendor = who
        self.source = source
        self.energy, self.idle_energy, self.process_energy, self.tree_energy = (
            None if amount is None else Energy(amount) for amount in amounts
        )
        self.seconds = seconds
        self.is_uncertain = is_uncertain

    def add(self, later: Device) -> None:
        """Adds what it drew in another interval; what is not known of one is not known of both."""
        for name in ("energy", "idle_energy", "process_energy", "tree_energy"):
            before, now = getattr(self, name), getattr(later, name)
            setattr(self, name, None if before is None or now is None else before + now)
        self.seconds += later.seconds
        self.is_uncertain = self.is_uncertain or later.is_uncertain

    def to_dict(self) -> dict[str, Any]:
        """All as plain values with the unit in the name."""
        joules = {
            f"{name}_joules": None if amount is None else amount.joules
            for name, amount in (
                *(("energy", self.energy), ("idle", self.idle_energy)),
                *(("process", self.process_energy), ("tree", self.tree_energy)),
            )
        }
        return {
            **{"uuid": self.uuid, "number": self.number, "name": self.name, "vendor": self.vendor},
            **joules,
            **{"source": self.source.name, "method": self.source.method, "error_ratio": self.source.error_ratio},
            **{"seconds": self.seconds, "is_uncertain": self.is_uncertain},
        }

    def __repr__(self) -> str:
        return f"<Device {self.number} {self.name}: {self.energy}, this process {self.process_energy}>"


def visible(devices: Iterable[Device], environment: Mapping[str, str]) -> list[Device]:
    """Those that this process may use, in the order in which it counts them (``cuda:0``, ``cuda:1``, ...).

    NVIDIA's are those of ``CUDA_VISIBLE_DEVICES`` where it is set: numbers, beginnings of UUIDs, or instances (``MIG-...``),
    up to the first that is none. Numbers are those of ``nvidia-smi``, as CUDA counts devices of one kind, and all with
    ``CUDA_DEVICE_ORDER=PCI_BUS_ID``. Others stand behind them.
    """
    found = sorted(devices, key=lambda device: device.number)
    cuda = [device for device in found if device.vendor == "nvidia"]
    others = [device for device in found if device.vendor != "nvidia"]
    stated = environment.get("CUDA_VISIBLE_DEVICES")
    if stated is None:
        return cuda + others
    chosen: list[Device] = []
    for text in stated.split(","):
        device = _named(text.strip(), cuda)
        if device is None or device in chosen:
            break
        chosen.append(device)
    return chosen + others


def _named(text: str, devices: Sequence[Device]) -> Optional[Device]:
    if text.isdecimal():
        return devices[int(text)] if int(text) < len(devices) else None
    if text.startswith("MIG-"):
        whole = [device for device in devices if text in device.instances or text.startswith(f"MIG-{device.uuid}/")]
    else:
        whole = [device for device in devices if text.startswith("GPU-") and device.uuid.startswith(text)]
    return whole[0] if len(whole) == 1 else None
