"""TensorBoard, by any writer that has ``add_scalar``: that of PyTorch, of tensorboardX, or of `tensorboard` itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ._metrics import metrics, tags

if TYPE_CHECKING:
    from ..figures import Figures
    from ..live import Progress, Show

__all__ = ["Writer", "log", "watch"]


class Writer(Protocol):
    """What is asked of a ``SummaryWriter``."""

    def add_scalar(self, tag: str, scalar_value: Any, global_step: Any = ..., /) -> Any:
        """Adds a point to a curve."""


def log(writer: Writer, figures: Figures, step: int = 0) -> None:
    """Writes the figures as scalars (``energy/joules``, …) and, where the writer takes text, what they rest on as ``energy/basis``.

    :param figures: a measurement, a phase of it, or a lap.
    """
    for name, value in metrics(figures).items():
        writer.add_scalar(name, value, step)
    add_text = getattr(writer, "add_text", None)
    if add_text is not None:
        lines = (f"- {name}: {value}" for name, value in tags(figures, "").items())
        add_text("energy/basis", "\n".join(lines), step)


def watch(writer: Writer) -> Show:
    """Writes watts while it runs: ``kepler_power.measure("train", progress=watch(writer))``. The step is the second."""

    def show(progress: Progress) -> None:
        writer.add_scalar("energy/watts_now", progress.watts, round(progress.seconds))

    return show
