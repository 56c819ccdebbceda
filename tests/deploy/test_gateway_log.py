"""The gateway's logs contain no headers: API keys and tokens travel in headers."""

import re
from pathlib import Path

CADDYFILE = Path(__file__).parents[2] / "deploy/gateway/Caddyfile"


def test_every_log_deletes_the_headers() -> None:
    logs = re.findall(r"^\tlog\b.*?(?:^\t}$|\n(?=\t\S))", CADDYFILE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(logs) == 2, "the global log and the access log"
    for log in logs:
        fields = re.search(r"format filter \{.*?fields \{(.*?)\}", log, re.DOTALL)
        assert fields, f"a log without a filter: {log}"
        assert {"request>headers delete", "resp_headers delete"} <= {line.strip() for line in fields[1].splitlines()}
