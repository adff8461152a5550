"""Tasks of Airflow and Prefect."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar, overload

from ..decorator import measured

if TYPE_CHECKING:
    from ..measurement import Measurement

__all__ = ["measured_task", "publish"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


@overload
def measured_task(function: _Function) -> _Function: ...
@overload
def measured_task(function: Optional[str] = None, **arguments: Any) -> Callable[[_Function], _Function]: ...
def measured_task(function: Any = None, **arguments: Any) -> Any:
    """Measures every run of a task, below the tool's own decorator:

        @task                  # of Airflow or Prefect
        @measured_task
        def train(): ...

    The figures go to the task's log, and in Airflow to the XCom ``energy`` as well. Name and arguments are those of
    :func:`kepler_power.measured`.
    """
    if callable(function):
        return measured(on_result=publish, **arguments)(function)
    return measured(function, on_result=publish, **arguments)


def publish(measurement: Measurement) -> None:
    """Says where the tool shows it what was used: for ``measured(on_result=publish)``."""
    _log().info("energy of %s", measurement)
    context = _airflow_context()
    if context is not None:
        context["ti"].xcom_push(key="energy", value=measurement.to_dict())


def _log() -> Any:
    """The task's log. Outside of a run of Prefect there is none of its own."""
    prefect: Any = sys.modules.get("prefect")
    if prefect is not None:
        try:
            return prefect.get_run_logger()
        except Exception:
            # MissingContextError, in whichever module this version has it.
            pass
    return logging.getLogger("airflow.task" if "airflow" in sys.modules else "kepler_power")


def _airflow_context() -> Any:
    """What Airflow tells a task of itself; none outside of one."""
    for module, function in (("airflow.sdk", "get_current_context"), ("airflow.operators.python", "get_current_context")):
        found: Any = sys.modules.get(module)
        if found is not None:
            try:
                return getattr(found, function)()
            except Exception:
                # It is imported, and this is no task: versions differ in what they raise.
                return None
    return None
