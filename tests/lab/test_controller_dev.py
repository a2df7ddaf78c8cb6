import subprocess, time
import pytest
from controller_lab import control
from controller.messages import *
from testbed.network import Network
pytestmark = pytest.mark.sandbox

@pytest.mark.topology("topohub:sndlib/abilene")
def test_ready(network, tmp_path):
    with control(network, tmp_path) as lab:
        t0=lab.started_s
        while True:
            m = lab.client.receive(15)
            print(f"{time.monotonic()-t0:.3f} {m.t_s-t0:.3f} {type(m).__name__} {str(m)[:150]}")
            if m is None or isinstance(m, Ready): break
        out = network.hosts.run("h1", ["ping","-c","3","-i","0.05", network.addressing.ipv4["h2"]]).stdout.decode()
        print(out)
        end=time.monotonic()+2
        while time.monotonic()<end:
            m = lab.client.receive(1)
            print(f"{time.monotonic()-t0:.3f} {m.t_s-t0:.3f} {type(m).__name__} {str(m)[:100]}")
        print(subprocess.run(["ovs-ofctl","-OOpenFlow13","dump-flows","s1"],capture_output=True,text=True).stdout)
    assert 0
