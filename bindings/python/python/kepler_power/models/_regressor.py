"""A trainer with scikit-learn's interface. scikit-learn itself is not needed."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Optional

from .. import _native
from ..errors import ConfigurationError, ModelError

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._model import Array, Interval, Model, Rows

Algorithm = Literal[
    "ensemble",
    "stack",
    "lines",
    "trees",
    "ols",
    "nnls",
    "ridge",
    "logarithmic",
    "logistic",
    "exponential",
    "knn",
]
"""As `kepler train` names them: trees that fade into rising lines far from the rows, trees stacked with others, the lines alone, boosted trees, least squares (plain,
without negative coefficients, ridge), curves of one feature, nearest rows."""


class PowerRegressor:
    """Learns the power of a component from what the machine does; use it like any regressor of scikit-learn's.

    >>> from kepler_power.models import PowerRegressor
    >>> model = PowerRegressor(rising=["cpu_cycles"], confidence=0.9)  # doctest: +SKIP
    >>> model.fit(rows, watts).score(others, their_watts)  # doctest: +SKIP
    >>> model.predict_interval(others).lower  # doctest: +SKIP

    The same rows and ``random_state`` give the same model to the last bit. It works in pipelines, grid searches and
    cross-validation. Predictions are plausible watts: never negative, never above what a machine can draw.

    :param algorithm: by its name in `kepler train`; ``ensemble`` did best on what was measured so far.
    :param component: what is learned: ``package``, ``core``, ``uncore``, ``dram`` or ``platform``.
    :param rising: features with which power never falls; trees only.
    :param per: the feature that power is learned per unit of, such as ``threads``.
    :param feature_names: the columns' names, where rows are not a data frame; else ``x0``, ``x1``, …
    :param semantics: what the features mean: ``as-named``, ``exporter-0.7.11``, ``specpower`` or ``undeclared``.
    :param n_estimators: number of trees, instead of the algorithm's.
    :param max_depth: splits from root to leaf, 1 to 16.
    :param learning_rate: by how much each tree is believed, 0 to 1.
    :param min_samples_leaf: the fewest rows of a leaf.
    :param confidence: of prediction intervals, 0 to 1; without it there are none. They cost fifteen more trainings, and
        rows must be in order of time.
    :param random_state: seed of everything random, 0 or more.
    """

    # What scikit-learn asks of a regressor.
    _estimator_type = "regressor"

    model_: Model
    """The model, once fitted: it predicts, saves and pickles by itself."""
    n_features_in_: int
    """Number of columns it was fitted with."""
    feature_names_in_: Any
    """Their names, where the rows were a data frame."""

    def __init__(
        self,
        algorithm: Algorithm = "ensemble",
        *,
        component: str = "package",
        rising: Sequence[str] = (),
        per: Optional[str] = None,
        feature_names: Optional[Sequence[str]] = None,
        semantics: str = "as-named",
        n_estimators: Optional[int] = None,
        max_depth: Optional[int] = None,
        learning_rate: Optional[float] = None,
        min_samples_leaf: Optional[int] = None,
        confidence: Optional[float] = None,
        random_state: int = 0,
    ) -> None:
        self.algorithm = algorithm
        self.component = component
        self.rising = rising
        self.per = per
        self.feature_names = feature_names
        self.semantics = semantics
        self.n_estimators = n_estimators
        self.max_depth = max_depth
        self.learning_rate = learning_rate
        self.min_samples_leaf = min_samples_leaf
        self.confidence = confidence
        self.random_state = random_state

    @classmethod
    def _parameters(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name."""
        return {name: getattr(self, name) for name in self._parameters()}

    def set_params(self, **parameters: Any) -> Self:
        """Sets parameters by name."""
        known = self._parameters()
        for name, value in parameters.items():
            if name not in known:
                raise ConfigurationError(f"there is no parameter `{name}`", f"there are {', '.join(known)}")
            setattr(self, name, value)
        return self

    def fit(self, X: Rows, y: Any) -> Self:  # noqa: N803 - scikit-learn's names
        """Learns.

        :param X: rows of features: a numpy array, a pandas or polars data frame, lists.
        :param y: what was measured beside each row, watts.
        :raises kepler_power.errors.ModelError: rows that cannot be learned from; it says which and why.
        :raises kepler_power.errors.ConfigurationError: a parameter that makes no sense.
        """
        import numpy as np

        from ._model import Model

        columns = getattr(X, "columns", None)
        if columns is not None:
            self.feature_names_in_ = np.asarray(list(columns), dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        rows = np.ascontiguousarray(X.to_numpy() if hasattr(X, "to_numpy") else X, dtype=np.float64)
        watts = np.ascontiguousarray(y.to_numpy() if hasattr(y, "to_numpy") else y, dtype=np.float64).reshape(-1)
        if rows.ndim != 2 or len(rows) != len(watts):
            shape = " x ".join(map(str, rows.shape))
            raise ModelError(f"rows of shape {shape} for {len(watts)} powers", "give a power for each row")
        self.n_features_in_ = rows.shape[1]
        text = _native.train_model(
            self._names(columns), rows, watts, self.component, self.semantics, self._recipe(), self.confidence
        )
        self.model_ = Model.from_json(text)
        return self

    def _names(self, columns: Any) -> list[str]:
        if columns is not None:
            return [str(name) for name in columns]
        names = self.feature_names
        if names is None:
            return [f"x{index}" for index in range(self.n_features_in_)]
        if len(names) != self.n_features_in_:
            message = f"{len(names)} feature_names for {self.n_features_in_} columns"
            raise ConfigurationError(message, "give one for each")
        return list(names)

    def _recipe(self) -> str:
        elsewhere = ("component", "feature_names", "semantics", "confidence")
        recipe = {name: value for name, value in self.get_params().items() if name not in elsewhere}
        return json.dumps({**recipe, "rising": list(self.rising)})

    def _fitted(self) -> Model:
        model: Optional[Model] = getattr(self, "model_", None)
        if model is not None:
            return model
        try:
            # By name: scikit-learn has no types that a checker could read.
            error: type[Exception] = import_module("sklearn.exceptions").NotFittedError
        except ImportError:
            raise ModelError("the regressor is not fitted", "call fit first") from None
        raise error("the regressor is not fitted; call fit first")

    def predict(self, X: Rows) -> Array:  # noqa: N803 - scikit-learn's name
        """Power of the component for each row, watts; a float64 array in C order is not copied."""
        return self._fitted().predict(X, self.component)

    def predict_interval(self, X: Rows) -> Interval:  # noqa: N803 - scikit-learn's name
        """Where the true power lies, for each row; asks for ``confidence``."""
        return self._fitted().predict_interval(X, self.component)

    def score(self, X: Rows, y: Any, sample_weight: Any = None) -> float:  # noqa: N803 - scikit-learn's name
        """Coefficient of determination R² of what it predicts: 1 is perfect, 0 is as good as the mean."""
        import numpy as np

        predicted = self.predict(X)
        measured = np.asarray(y, dtype=np.float64).reshape(-1)
        weights = np.ones_like(measured) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        left = float(np.sum(weights * (measured - predicted) ** 2))
        spread = float(np.sum(weights * (measured - np.average(measured, weights=weights)) ** 2))
        return 1.0 - left / spread if spread > 0 else float(left == 0)

    def save(self, path: Any) -> None:
        """Writes the model as a file of this project's own format, which :func:`kepler_power.models.load` reads."""
        self._fitted().save(path)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Any:
        sklearn = import_module("sklearn.utils")
        return sklearn.Tags(
            estimator_type="regressor",
            target_tags=sklearn.TargetTags(required=True),
            transformer_tags=None,
            classifier_tags=None,
            regressor_tags=sklearn.RegressorTags(),
            input_tags=sklearn.InputTags(),
        )

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        given = [f"{name}={value!r}" for name, value in self.get_params().items() if value != defaults[name].default]
        return f"{type(self).__name__}({', '.join(given)})"
