"""One traffic matrix in SNDlib's XML format: the elements `meta` and `demands`."""

from __future__ import annotations

import xml.sax
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl, Locator

from generators.history.assembly import checked_rate_bps
from generators.history.structure import HistoryError


def read_xml(name: str, text: str) -> tuple[dict[str, str], dict[tuple[str, str], float]]:
    """Return the `meta` entries and the demand values by source and target.

    Nothing outside the document is loaded, and a document type is refused: SNDlib needs none.

    Raises:
        HistoryError: naming `name` and the line.
        xml.sax.SAXParseException: it is not well-formed.
    """
    if "<!DOCTYPE" in text:
        raise HistoryError(f"{name}: a document type: leave it out")
    matrix = _Matrix(name)
    xml.sax.parseString(text, matrix)
    if not matrix.seen:
        raise HistoryError(f"{name}: no element demands: is it a traffic matrix of SNDlib?")
    return matrix.meta, matrix.demands


class _Matrix(ContentHandler):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.meta: dict[str, str] = {}
        self.demands: dict[tuple[str, str], float] = {}
        self.seen = False
        self._name = name
        self._line: Locator | None = None
        self._open: list[str] = []
        self._text = ""
        self._demand: dict[str, str] = {}

    def setDocumentLocator(self, locator: Locator) -> None:  # noqa: N802 - the name is SAX's
        self._line = locator

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: ARG002, N802
        self._open.append(name.rpartition(":")[2])
        self._text = ""
        if self._open[-1] == "demand":
            self._demand = {}
        self.seen = self.seen or self._open[-1] == "demands"

    def characters(self, content: str) -> None:
        self._text += content

    def endElement(self, name: str) -> None:  # noqa: ARG002, N802
        element = self._open.pop()
        parent = self._open[-1] if self._open else ""
        if parent == "meta":
            self.meta[element.lower()] = self._text.strip()
        elif parent == "demand":
            self._demand[element] = self._text.strip()
        elif element == "demand":
            self._take()

    def _take(self) -> None:
        line = self._line.getLineNumber() if self._line else 0
        where = f"{self._name}:{line}"
        missing = [key for key in ("source", "target", "demandValue") if not self._demand.get(key)]
        if missing:
            raise HistoryError(f"{where}: a demand without {' and '.join(missing)}")
        pair = (self._demand["source"], self._demand["target"])
        value = checked_rate_bps(self._demand["demandValue"], where)
        self.demands[pair] = self.demands.get(pair, 0.0) + value
