"""A power model that predicts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Optional, cast, overload

from .. import _native
from ..errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Semantics = Literal["as-named", "exporter-0.7.11", "specpower", "undeclared"]
"""What the numbers mean that a model was trained with: the same name does not always mean the same."""

Rows = Any
"""Rows of features: a numpy array of two dimensions, a pandas or polars data frame (columns are found by name), lists."""


# How a model was made, to make it again for pickle: the name of a method, its arguments.
_Step = tuple[str, tuple[Any, ...]]


class Interval(NamedTuple):
    """Where the true power lies, for each row."""

    lower: Array
    """Lower ends, watts; NaN where the model does not know."""
    upper: Array
    """Upper ends, watts."""
    confidence: Optional[float]
    """Share of cases that they are meant to cover, 0 to 1; ``None`` where the model knows no interval."""


class Model:
    """A power model, ready to predict; made by :func:`load`, :func:`find` or :class:`PowerRegressor`. It never changes."""

    __slots__ = ("_made", "_native")

    def __init__(self, native: _native.PowerModel, *made: _Step) -> None:
        self._native = native
        self._made = made

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Model:
        """Reads a weight file, a component map, its directory, or a file of this project's own format.

        :raises kepler_power.errors.ModelError: it cannot be read, or has something no prediction could be trusted with.
        """
        return cls(_native.PowerModel.load(path), ("load", (os.fspath(path),)))

    @classmethod
    def from_json(cls, text: str, name: str = "model") -> Model:
        """From the text of a file. ``name`` is the file's name without ``.json``: published curves need their trainer's."""
        return cls(_native.PowerModel.from_json(name, text), ("from_json", (text, name)))

    @property
    def features(self) -> tuple[str, ...]:
        """What it wants to know, in the order of the columns."""
        return tuple(self._native.features)

    @property
    def components(self) -> tuple[str, ...]:
        """What it describes: ``package``, ``core``, ``uncore``, ``dram``, ``platform``."""
        return tuple(self._native.components)

    @property
    def trainer(self) -> str:
        """The algorithm that made it, by its name in the model database."""
        return self._native.trainer

    @property
    def node_type(self) -> Optional[int]:
        """The machine it is for, in the published pipeline's index."""
        return self._native.node_type

    @property
    def semantics(self) -> str:
        """What its features mean: ``as-named``, ``exporter-0.7.11``, ``specpower`` or ``undeclared``."""
        return self._native.semantics

    @property
    def open_categories(self) -> tuple[str, ...]:
        """Categorical variables that still need :meth:`with_category`, such as ``cpu_architecture``."""
        return tuple(self._native.open_categories)

    @property
    def card(self) -> Optional[dict[str, Any]]:
        """What it was trained with and how well it did (errors in watts); only our own format has one."""
        card = self._native.card
        return None if card is None else json.loads(card)

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Least and greatest value of each feature in training; only our own format has them."""
        return {name: (lower, upper) for name, lower, upper in self._native.ranges}

    def ceiling(self, component: str) -> float:
        """The most watts that are believed of a component; more is clipped to it."""
        return self._native.ceiling(self._index(component))

    def with_category(self, variable: str, value: str) -> Model:
        """The same with a categorical variable set to the machine's value."""
        return Model(self._native.with_category(variable, value), *self._made, ("with_category", (variable, value)))

    def with_chips(self, chips: int) -> Model:
        """The same with the ceilings of a machine with this number of sockets."""
        return Model(self._native.with_chips(chips), *self._made, ("with_chips", (chips,)))

    def with_semantics(self, semantics: Semantics) -> Model:
        """The same, declared to mean something, where the file's path does not say it."""
        return Model(self._native.with_semantics(semantics), *self._made, ("with_semantics", (semantics,)))

    @overload
    def predict(self, rows: Rows, component: None = None, *, threads: int | None = None) -> Array: ...

    @overload
    def predict(self, rows: Rows, component: str, *, threads: int | None = None) -> Array: ...

    def predict(self, rows: Rows, component: str | None = None, *, threads: int | None = None) -> Array:
        """Power in watts, made plausible: within 0 and the ceiling, package at least core and uncore.

        :param rows: one row a moment. Arrays have a column for each of :attr:`features`; data frames are asked for them
            by name. float64 in C order is not copied.
        :param component: one of :attr:`components`; without it a column for each.
        :param threads: how many to use; as many as there are processors.
        :returns: an array of shape (rows,), or (rows, components). NaN where the model gives no number. Where numpy is
            not installed, lists of the same shape.
        :raises kepler_power.errors.ModelError: the columns do not fit, or a number is missing; it says which.
        """
        indices = [self._index(component)] if component is not None else list(range(len(self.components)))
        try:
            import numpy as np
        except ImportError:
            found: Any = self._native.predict_rows([[float(x) for x in row] for row in rows], indices)
            return found if component is None else [row[0] for row in found]  # type: ignore[return-value]
        matrix = _matrix(rows, self.features)
        out = np.empty((len(matrix), len(indices)))
        self._native.predict_into(matrix, out, indices, threads)
        return out if component is None else out[:, 0]

    def predict_interval(self, rows: Rows, component: str) -> Interval:
        """Where the true power lies: wider the farther a row is from what the model was trained with. Needs numpy.

        :param rows: as for :meth:`predict`.
        :param component: one of :attr:`components`.
        """
        import numpy as np

        matrix = _matrix(rows, self.features)
        out = np.empty((len(matrix), 2))
        confidence = self._native.interval_into(matrix, out, self._index(component))
        return Interval(out[:, 0], out[:, 1], confidence)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a model that was made from text, such as a trained one, as a file that :func:`load` reads."""
        method, (source, *_) = self._made[0]
        if method != "from_json":
            raise ModelError(f"the model is the file {source} already", "copy that")
        with open(path, "w", encoding="utf-8") as file:
            file.write(source)

    def _index(self, component: str) -> int:
        try:
            return self.components.index(component)
        except ValueError:
            raise ModelError(f"the model has no component `{component}`", f"it has {', '.join(self.components)}") from None

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, self._made

    def __repr__(self) -> str:
        return f"<Model by {self.trainer}: {', '.join(self.features)} -> {', '.join(self.components)}>"


def _again(*made: _Step) -> Model:
    """A model from how it was made."""
    model: Any = Model
    for method, arguments in made:
        model = getattr(model, method)(*arguments)
    return cast("Model", model)


def _matrix(rows: Rows, features: Sequence[str]) -> Array:
    """An array of float64 in C order: the given one, where it is that."""
    import numpy as np

    columns: Optional[Iterable[Any]] = getattr(rows, "columns", None)
    if columns is not None:
        names = set(map(str, columns))
        missing = [feature for feature in features if feature not in names]
        if missing:
            remedy = f"it wants {', '.join(features)}"
            raise ModelError(f"the table has no column {', '.join(missing)}", remedy)
        rows = rows[list(features)]
        rows = rows.to_numpy() if hasattr(rows, "to_numpy") else rows
    try:
        matrix: Array = np.ascontiguousarray(rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ModelError(f"the rows are no numbers: {error}", f"give rows of {len(features)} numbers") from error
    if matrix.ndim == 1 and len(matrix) == len(features):
        matrix = matrix.reshape(1, -1)
    if matrix.ndim != 2 or matrix.shape[1] != len(features):
        shape = " x ".join(map(str, matrix.shape))
        raise ModelError(f"rows of shape {shape} for {len(features)} features", f"give the columns {', '.join(features)}")
    return matrix
