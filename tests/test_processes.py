"""Processes that tests fork stand for those that `accelerate launch` starts, so they must be told the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.processes import launched_variables

SCRIPT = "import json, os\nopen(os.environ['RANK'] + '.json', 'w').write(json.dumps(dict(os.environ)))\n"


def test_a_launched_process_is_told_what_a_forked_one_is(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    command += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    subprocess.run([*command, "script.py"], cwd=tmp_path, check=True, capture_output=True)
    for rank in (0, 1):
        launched = json.loads((tmp_path / f"{rank}.json").read_text())
        forked = launched_variables(rank, 2, int(launched["MASTER_PORT"]))
        assert {name: launched.get(name) for name in forked} == forked
