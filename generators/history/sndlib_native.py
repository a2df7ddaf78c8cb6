"""One traffic matrix in SNDlib's native format: the sections META and DEMANDS.

META (
  granularity = 5min
  time = 20040301-0005
  unit = MBITPERSEC
)
DEMANDS (
  # id ( source target ) routing_unit demand_value max_path_length
  ATLAM5_ATLAng ( ATLAM5 ATLAng ) 1 0.375261 UNLIMITED
)
"""

from __future__ import annotations

import re

from generators.history.assembly import checked_rate_bps
from generators.history.structure import HistoryError

_SECTION = re.compile(r"^([A-Z_-]+)\s*\($")
_DEMAND = re.compile(r"^\S+\s*\(\s*(\S+)\s+(\S+)\s*\)\s*\S+\s+(\S+)\s+\S+$")
_META = re.compile(r"^(\w+)\s*=?\s*(.*)$")


def read_native(name: str, text: str) -> tuple[dict[str, str], dict[tuple[str, str], float]]:
    """Return META and the demand values by source and target.

    Raises:
        HistoryError: naming `name` and the line.
    """
    meta: dict[str, str] = {}
    demands: dict[tuple[str, str], float] = {}
    section, seen = "", False
    for number, raw in enumerate(text.splitlines(), 1):
        line, where = raw.partition("#")[0].strip(), f"{name}:{number}"
        if not line or line.startswith("?"):
            continue
        if opened := _SECTION.match(line):
            section = opened[1]
            seen = seen or section == "DEMANDS"
        elif line == ")":
            section = ""
        elif section == "META" and (entry := _META.match(line)):
            meta[entry[1].lower()] = entry[2].strip()
        elif section == "DEMANDS":
            demand = _DEMAND.match(line)
            if demand is None:
                raise HistoryError(
                    f"{where}: no demand: write `id ( source target ) 1 value UNLIMITED`"
                )
            pair = (demand[1], demand[2])
            demands[pair] = demands.get(pair, 0.0) + checked_rate_bps(demand[3], where)
    if not seen or section:
        what = f"section {section} is not closed" if section else "no section DEMANDS"
        raise HistoryError(f"{name}: {what}: is it a traffic matrix of SNDlib, and whole?")
    return meta, demands
