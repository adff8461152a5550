"""A measurement as a sentence for papers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._text import shown
from .quantities import _rounded

if TYPE_CHECKING:
    from .figures import Figures

_ESCAPED = {
    **{c: "\\" + c for c in "&%$#_{}"},
    **{"\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "µ": "\\ensuremath{\\mu}", "±": "\\ensuremath{\\pm}"},
    **{"<": "\\ensuremath{<}", ">": "\\ensuremath{>}"},
}


def escaped(text: str) -> str:
    """Text as LaTeX shows it."""
    return "".join(_ESCAPED.get(c, c) for c in shown(text))


def sentence(figures: Figures) -> str:
    """What was used, how it was found, and what emissions rest on."""
    from . import __version__

    source, co2e = figures.source, figures.co2e
    error = "" if source.error_ratio is None else f", \\ensuremath{{\\pm}}{source.error_ratio * 100:.0f}\\,\\% (one standard deviation)"
    where = escaped(co2e.region) if co2e.region else "a stated grid"
    assumed = ", which is assumed" if co2e.basis == "assumed" else ""
    method = f", {co2e.grid_method}" if co2e.grid_method else ""
    published = f" ({escaped(co2e.source)}{method})" if co2e.source else ""
    doubt = " A counter was reset during the run, so that the energy is uncertain." if figures.is_uncertain else ""
    return (
        f"The run \\emph{{{escaped(figures.name)}}} took {_duration(figures.seconds)} and the machine used {_unit(str(figures.energy))} "
        f"(mean power {_unit(str(figures.power))}; {source.method} by {escaped(source.name)}{error}), of which {_unit(str(figures.tree.energy))} "
        f"are attributed to the program by CPU time. With a PUE of {co2e.pue:g} ({co2e.pue_basis}) and {co2e.grid_intensity:.4g}\\,gCO\\textsubscript{{2}}e/kWh "
        f"for {where}{assumed}{published}, this corresponds to {_unit(str(co2e)).replace('CO2e', 'CO' + chr(92) + 'textsubscript{2}e')}. "
        f"Figures by kepler-power {escaped(__version__)}.{doubt}"
    )


def _unit(text: str) -> str:
    """`12.3 kJ` with the space that a unit has."""
    return escaped(text).replace(" ", "\\,")


def _duration(seconds: float) -> str:
    if seconds >= 7200:
        return f"{_rounded(seconds / 3600, 3)}\\,h"
    return f"{seconds / 60:.3g}\\,min" if seconds >= 120 else f"{seconds:.3g}\\,s"
