import os
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.mark.skipif(shutil.which("vagrant") is None, reason="vagrant is not installed")
def test_the_vagrantfile_is_valid(tmp_path: Path) -> None:
    home, state = str(tmp_path / "home"), str(tmp_path / "state")
    environment = {**os.environ, "HOME": home, "VAGRANT_HOME": home, "VAGRANT_DOTFILE_PATH": state}

    def vagrant(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["vagrant", *words], cwd=CHECKOUT, env=environment, capture_output=True, text=True
        )

    # Without any provider, vagrant refuses to look at what is meant for one.
    has_provider = shutil.which("VBoxManage") or "libvirt" in vagrant("plugin", "list").stdout
    answer = vagrant("validate", *(() if has_provider else ("--ignore-provider",)))
    assert answer.returncode == 0, answer.stdout + answer.stderr
