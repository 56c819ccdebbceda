"""Time, ids and randomness come from shared/clock.py: ruff's rule TID251 finds every other source."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLANTED = {
    "shared/random_module.py": "import random\n",
    "shared/in_function.py": "def f():\n    import random as r\n    r.random()\n",
    "shared/numpy_random.py": "import numpy as np\nnp.random.default_rng()\n",
    "shared/numpy_random_module.py": "import numpy.random\n",
    "services/members/secret.py": "from secrets import token_hex\n",
    "services/members/id7.py": "from uuid_utils.compat import uuid7\n",
    "services/members/id4.py": "from uuid import UUID, uuid4\n",
    "services/members/id4_attribute.py": "import uuid as u\nu.uuid4()\n",
    "services/members/seconds.py": "import time\ntime.time()\n",
    "services/members/nanoseconds.py": "from time import time_ns\n",
    "deploy/bytes.py": "import os\nos.urandom(8)\n",
    "deploy/now.py": "import datetime as d\nd.datetime.now(d.UTC)\n",
    "deploy/now_attribute.py": "from datetime import datetime as d\nnow = d.now\n",
    "deploy/today.py": "from datetime import date\ndate.today()\n",
}
ALLOWED = {
    "shared/clock.py": "import random\n",
    "tests/test_c.py": "import random\n",
    "shared/measured.py": "import time\nfrom uuid import UUID\ntime.monotonic()\n",
    "shared/parsed.py": "from datetime import datetime as d\nd.fromisoformat('')\n",
    "shared/database.py": "from sqlalchemy import func\nfunc.now()\n",
}


@pytest.fixture(scope="module")
def flagged(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The files in which ruff finds a banned name, by the project's own configuration."""
    root = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / "pyproject.toml", root)
    for name, text in (PLANTED | ALLOWED).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--no-cache",
        "--select",
        "TID251",
        "--output-format",
        "json",
        ".",
    ]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return {str(Path(finding["filename"]).relative_to(root)) for finding in json.loads(done.stdout)}


def test_every_other_source_is_found(flagged: set[str]) -> None:
    assert flagged == set(PLANTED)
