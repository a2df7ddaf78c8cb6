import os
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.mark.skipif(shutil.which("vagrant") is None, reason="vagrant is not installed")
def test_the_vagrantfile_is_valid(tmp_path: Path) -> None:
    home, state = str(tmp_path / "home"), str(tmp_path / "state")
    answer = subprocess.run(
        ["vagrant", "validate"],
        cwd=CHECKOUT,
        env={**os.environ, "HOME": home, "VAGRANT_HOME": home, "VAGRANT_DOTFILE_PATH": state},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
