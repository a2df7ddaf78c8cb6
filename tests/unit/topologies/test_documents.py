import contextlib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from topologies.documents import (
    ANY,
    DocumentError,
    Problem,
    did_you_mean,
    parse_document,
    read_document,
)


def test_every_key_and_item_knows_its_line() -> None:
    document = parse_document("a: 1\nb:\n  - x\n  - c:\n      d: 2\n", "f.yaml")
    assert document.data == {"a": 1, "b": ["x", {"c": {"d": 2}}]}
    lines = {path: document.problem(path, "").line for path in document.lines}
    assert lines["b",] == 2
    assert lines["b", 1] == 4
    assert lines["b", 1, "c", "d"] == 5


def test_what_is_not_there_has_the_line_of_its_parent() -> None:
    document = parse_document("a:\n  b: {}\n", "f.yaml")
    problem = document.problem(("a", "b", "missing", 0), "is missing", "add it")
    assert str(problem) == "f.yaml:2: a.b.missing[0]: is missing (add it)"


def test_problems_without_line_or_place() -> None:
    assert str(Problem("f.yaml", None, "", "cannot be read")) == "f.yaml: cannot be read"


def test_select_goes_past_what_does_not_match() -> None:
    document = parse_document("n: [{a: 1}, {b: 2}, 3, {a: null}]\nm: {a: 4}\n", "f.yaml")
    assert list(document.select("n", ANY, "a")) == [(("n", 0, "a"), 1), (("n", 3, "a"), None)]
    assert list(document.select(ANY, "a")) == [(("m", "a"), 4)]
    assert document.get("n", 1, "b") == 2
    assert document.get("n", 2, "b") is None


def test_keys_that_occur_twice_are_told_with_both_lines() -> None:
    (problem,) = parse_document("a: {b: 1,\n    b: 2}\n", "f.yaml").problems
    assert str(problem) == "f.yaml:2: a.b: occurs twice, first in line 1 (keep one of them)"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("a: \xe9".encode("latin-1"))
    for path in (tmp_path, tmp_path / "none.yaml", latin):
        with pytest.raises(DocumentError, match=path.name):
            read_document(path)


@pytest.mark.parametrize(
    "text", ["[" * 5000, "a: \x01", "!!int x", "%", "!!python/name:os.system x", "2001-99-99"]
)
def test_hostile_text_is_refused(text: str) -> None:
    with pytest.raises(DocumentError):
        parse_document(text, "f.yaml")


@given(st.text(alphabet="ab:-[]{}#&*!|>'\"%@`,?~ \n\t0.<="))
@example("<<: {a: 1}")
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(DocumentError):
        parse_document(text, "f.yaml")


def test_did_you_mean() -> None:
    assert did_you_mean("trangle", ["ring", "triangle"]) == "did you mean triangle?"
    assert did_you_mean("zzz", ["ring", "triangle"]) == "known: ring, triangle"
    assert did_you_mean("x9", map(str, range(100, 120))).endswith(" and 8 more")
    assert did_you_mean("x", []) == "there are none"
