import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cli.main import main


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["topo", "list"]) == 0
    assert capsys.readouterr().out.split() == ["leaf-spine", "metro-6g", "ring", "triangle"]
    assert main(["topo", "list", "--all", "--json"]) == 0
    assert "topohub:sndlib/abilene" in json.loads(capsys.readouterr().out)["networks"]


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["topo", "show", "metro-6g"]) == 0
    shown = capsys.readouterr().out
    assert "10 switches, 8 hosts, 17 core links" in shown
    assert "Stadium" in shown


def test_show_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["topo", "show", "triangle", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [host["name"] for host in document["hosts"]] == ["h1", "h2", "h3"]


def test_show_writes_svg(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "ring.svg"
    assert main(["topo", "show", "ring", "--svg", str(file), "--json"]) == 0
    assert ElementTree.parse(file).getroot().tag.endswith("svg")
    json.loads(capsys.readouterr().out)


def test_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["topo", "schema"]) == 0
    assert "switches" in json.loads(capsys.readouterr().out)["properties"]


@pytest.mark.parametrize(
    "words", [["show", "rang"], ["show", "ring", "--svg", "/nowhere/ring.svg"], ["show", "x.yaml"]]
)
def test_wrong_input_is_one_message_and_exit_code_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["topo", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
