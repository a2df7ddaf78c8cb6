"""YAML documents whose every value knows its line, and the problems found in them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

KeyPath = tuple[Hashable, ...]
"""Keys and list indices from the root of a document to one of its values."""

ANY = "*"
"""In a pattern of `Document.select`: every key or index."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a document, and how to mend it."""

    file: str
    line: int | None
    where: str
    """The key path as people write it, e.g. `links[3].rate_mbps`; empty for the whole document."""
    message: str
    hint: str = ""

    def __str__(self) -> str:
        line = "" if self.line is None else f":{self.line}"
        where = f"{self.where}: " if self.where else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.file}{line}: {where}{self.message}{hint}"


class DocumentError(Exception):
    """All problems of a document (or of a name that should have led to one), one a line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True)
class Document:
    """Plain data read from YAML, with the line of every key and list item."""

    file: str
    data: object
    lines: Mapping[KeyPath, int] = field(repr=False)
    problems: tuple[Problem, ...] = ()
    """What reading alone showed to be wrong: keys that occur twice."""

    def problem(self, path: KeyPath, message: str, hint: str = "") -> Problem:
        """Make a problem of the value at `path`, or of its nearest existing parent's line."""
        known = (path[:end] for end in range(len(path), -1, -1) if path[:end] in self.lines)
        line = self.lines.get(next(known, ()), 1)
        return Problem(self.file, line, _spelled(path), message, hint)

    def select(self, *pattern: Hashable) -> Iterator[tuple[KeyPath, Any]]:
        """Yield path and value of all that `pattern` matches; what is not there matches nothing.

        Checks written with it hold for half-right documents, so that a slip in one place does not
        hide one in another.
        """
        found: list[tuple[KeyPath, Any]] = [((), self.data)]
        for part in pattern:
            found = [
                ((*path, key), value)
                for path, parent in found
                for key, value in _children(parent)
                if part in (ANY, key)
            ]
        yield from found

    def get(self, *path: Hashable) -> Any:
        """Return the value at `path`, or None."""
        return next((value for _, value in self.select(*path)), None)


def did_you_mean(wrong: object, known: Iterable[str]) -> str:
    """Return the hint for a name that is not among the `known` ones."""
    names = list(known)
    near = get_close_matches(str(wrong), names, n=3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    if not names:
        return "there are none"
    shown = ", ".join(names[:12])
    return f"known: {shown}" + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def read_document(path: Path) -> Document:
    """Read the YAML file at `path`.

    Raises:
        DocumentError: it cannot be read, or is not YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DocumentError([Problem(str(path), None, "", f"{error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise DocumentError([Problem(str(path), None, "", "is not UTF-8 text")]) from error
    return parse_document(text, str(path))


def parse_document(text: str, file: str) -> Document:
    """Read YAML `text`; `file` is what problems call it.

    Raises:
        DocumentError: `text` is not YAML.
    """
    try:
        return _Reader(text, file).read()
    except yaml.MarkedYAMLError as error:
        raise DocumentError([_syntax_problem(file, error)]) from error
    except (yaml.YAMLError, ValueError) as error:
        message = f"is not YAML: {' '.join(str(error).split())}"
        raise DocumentError([Problem(file, None, "", message)]) from error
    except RecursionError as error:
        raise DocumentError([Problem(file, None, "", "is nested too deeply")]) from error


class _Loader(yaml.SafeLoader):
    """The safe loader without aliases: they could blow a small file up, or tie it in a knot."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not used", problem_mark=mark)
        return super().compose_node(parent, index)


class _Reader:
    """Builds plain data from YAML nodes and notes the lines."""

    def __init__(self, text: str, file: str) -> None:
        self.loader = _Loader(text)
        self.file = file
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[Problem] = []

    def read(self) -> Document:
        root = self.loader.get_single_node()
        data = None if root is None else self._value(root, ())
        return Document(self.file, data, self.lines, tuple(self.problems))

    def _value(self, node: yaml.Node, path: KeyPath) -> object:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self.loader.construct_object(node)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[Hashable, object]:
        mapping: dict[Hashable, object] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                message = "a key must be a plain value"
                self.problems.append(Problem(self.file, line, _spelled(path), message))
                continue
            key = self.loader.construct_object(key_node)
            if key in mapping:
                message = f"occurs twice, first in line {self.lines[(*path, key)]}"
                self.problems.append(
                    Problem(self.file, line, _spelled((*path, key)), message, "keep one of them")
                )
                continue
            self.lines[(*path, key)] = line
            mapping[key] = self._value(value_node, (*path, key))
        return mapping


def _syntax_problem(file: str, error: yaml.MarkedYAMLError) -> Problem:
    words = ", ".join(part for part in (error.context, error.problem) if part)
    start, mark = error.context_mark, error.problem_mark or error.context_mark
    line = None if mark is None else mark.line + 1
    hint = "" if start is None or start is mark else f"look from line {start.line + 1} on"
    return Problem(file, line, "", f"is not YAML: {words}", hint)


def _children(parent: object) -> list[tuple[Hashable, Any]]:
    if isinstance(parent, dict):
        return list(parent.items())
    return list(enumerate(parent)) if isinstance(parent, list) else []


def _spelled(path: KeyPath) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")
