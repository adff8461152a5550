"""The import name ``codecarbon``, served by ``kepler_power.codecarbon``: every module of it is the module of that name there."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Optional

from kepler_power.codecarbon import *  # noqa: F403 - the same names
from kepler_power.codecarbon import __all__, __app_name__, __version__

__all__ = [*__all__, "__app_name__", "__version__"]

_SERVED_BY = "kepler_power.codecarbon"


class _Alias(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds ``codecarbon.X``, which is ``kepler_power.codecarbon.X``."""

    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]], target: Optional[ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        if not fullname.startswith(f"{__name__}."):
            return None
        try:
            served = importlib.util.find_spec(_SERVED_BY + fullname[len(__name__) :])
        except ModuleNotFoundError:
            return None
        if served is None:
            return None
        is_package = served.submodule_search_locations is not None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=is_package)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(_SERVED_BY + spec.name[len(__name__) :])
        # The import system is about to give it the alias's specification.
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        alias = module.__spec__
        if alias is not None:
            module.__spec__ = alias.loader_state


# Before the finders of files: this package has no other files.
sys.meta_path.insert(0, _Alias())
