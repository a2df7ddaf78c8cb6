import networkx as nx
import numpy as np
import pytest
import topohub

from topologies.documents import DocumentError
from topologies.model import LinkShape
from topologies.paths import shortest_paths
from topologies.topohub import demand_matrix, load_topohub, topohub_names


def test_abilene() -> None:
    abilene = load_topohub("topohub:sndlib/abilene")
    assert abilene.name == "sndlib/abilene"
    assert [switch.name for switch in abilene.switches] == [f"s{n}" for n in range(1, 13)]
    assert [host.switch for host in abilene.hosts] == [f"s{n}" for n in range(1, 13)]
    assert len(abilene.core_links) == 15
    houston = abilene.switches[4]
    assert (houston.label, abilene.hosts[4].label) == ("HSTNng", "HSTNng")
    assert houston.position == pytest.approx((-95.5, 29.77), abs=0.2)
    atlanta_houston = abilene.link_between["s2", "s5"].shape
    assert atlanta_houston == LinkShape(10e6, delay_ms=8.096, queue_packets=100)  # 1079.45 km


def test_geant_has_gaps_in_its_numbering() -> None:
    geant = load_topohub("topohub:topozoo/Geant2012")
    assert len(geant.switches) == 37
    assert len(geant.core_links) == 58
    assert set(shortest_paths(geant)) == set(geant.od_pairs)


def test_demands_follow_the_hosts() -> None:
    matrix = demand_matrix("topohub:sndlib/abilene")
    given = topohub.get("sndlib/abilene", use_names=True)["graph"]["demands"]
    labels = [host.label for host in load_topohub("topohub:sndlib/abilene").hosts]
    for row, source in enumerate(labels):
        for column, target in enumerate(labels):
            assert matrix[row, column] == given[source].get(target, 0.0)
    assert not np.diagonal(matrix).any()
    assert matrix.sum() == pytest.approx(3e6, rel=1e-3)


def test_networks_without_demands_say_so() -> None:
    with pytest.raises(DocumentError, match=r"no demands are known.*sndlib"):
        demand_matrix("topohub:topozoo/Geant2012")


def test_the_networks_of_sndlib_all_load_but_the_largest() -> None:
    names = [name for name in topohub_names() if name.startswith("topohub:sndlib/")]
    assert len(names) >= 26
    too_large = set()
    for name in names:
        try:
            topology = load_topohub(name)
        except DocumentError:
            too_large.add(name)
            continue
        assert nx.is_connected(nx.Graph((link.a, link.b) for link in topology.core_links))
        assert demand_matrix(name).shape == (len(topology.hosts),) * 2
    assert too_large == {"topohub:sndlib/brain", "topohub:sndlib/ta2"}


def test_broken_data_is_refused_or_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [{"id": n, "name": f"City {n}", "pos": [n, 0]} for n in range(3)]
    edges = [(0, 1, 100.0), (1, 0, 100.0), (1, 1, 5.0)]
    data = {
        "graph": {"demands": {}},
        "nodes": nodes,
        "edges": [{"source": a, "target": b, "dist": km} for a, b, km in edges],
    }
    monkeypatch.setattr(topohub, "get", lambda _name: data)
    with pytest.raises(DocumentError, match="falls into 2 parts that no link connects"):
        load_topohub("topohub:sndlib/abilene")
    data["edges"] += [{"source": 1, "target": 2, "dist": 0.0}]
    topology = load_topohub("topohub:sndlib/abilene")
    assert [(link.a, link.b) for link in topology.core_links] == [("s1", "s2"), ("s2", "s3")]
