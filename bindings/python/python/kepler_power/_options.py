"""Options that the command and the notebook magic have in common."""

from __future__ import annotations

import argparse


def add_facility(parser: argparse.ArgumentParser) -> None:
    """Those that say where the electricity comes from: the arguments of `measure` by the same names."""
    region = "where the electricity comes from (AWS, GCP, Azure, ISO 3166, grid zone, city)"
    parser.add_argument("--region", help=region)
    parser.add_argument("--pue", type=float, help="facility energy over IT energy, at least 1")
    intensity = "gCO2e/kWh, instead of the region's"
    parser.add_argument("--grid-intensity", type=float, metavar="G_PER_KWH", help=intensity)
