"""The load of B, in a process of its own: `python -m bench.http_load PORT SECONDS read|write < what`.

A client of our own and not wrk: each connection has to bring back the ETag that the last answer gave it. It keeps 32
connections busy for the seconds given, on loopback only, and prints what it saw as JSON.
"""

import asyncio
import json
import sys
from itertools import count
from time import perf_counter

import httptools
import uvloop

from bench.harness import percentile

_LATEST = 5.0


class Connection(asyncio.Protocol):
    """One connection that always has one request under way.

    Args:
        cluster: whose capacity it reads or changes, with the version it is at.
        token: of who asks.
        write: whether it changes.
        until: the time to end.
    """

    def __init__(self, cluster: tuple[str, int], token: str, *, write: bool, until: float) -> None:
        (self._id, self.version), self._token = cluster, token
        self._write, self._until = write, until
        self._parser = httptools.HttpResponseParser(self)
        self._numbers = count(1)
        self._asked = 0.0
        self.took: list[float] = []
        self.refused = 0
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # it is one
        """Begin."""
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Parse."""
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """End, early if the server closed."""
        if not self.ended.done():
            self.refused += exc is not None or perf_counter() < self._until
            self.ended.set_result(None)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the version."""
        if name.lower() == b"etag":
            self.version = int(value.strip(b'"v'))

    def on_message_complete(self) -> None:
        """Note the time, ask again."""
        self.took.append(perf_counter() - self._asked)
        self.refused += self._parser.get_status_code() != 200  # noqa: PLR2004  OK
        self._parser = httptools.HttpResponseParser(self)
        if perf_counter() < self._until:
            self._ask()
        else:
            self._transport.close()

    def _ask(self) -> None:
        head = f"Host: 127.0.0.1\r\nAuthorization: Bearer {self._token}\r\n"
        if self._write:
            body = json.dumps({"mentor_capacity": next(self._numbers) % 100, "learner_capacity": 1})
            head += f'If-Match: "v{self.version}"\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n'
            request = f"PUT /clusters/{self._id}/capacity HTTP/1.1\r\n{head}\r\n{body}"
        else:
            request = f"GET /clusters/{self._id} HTTP/1.1\r\n{head}\r\n"
        self._asked = perf_counter()
        self._transport.write(request.encode())


async def load(port: int, seconds: float, what: dict[str, object], *, write: bool) -> dict[str, object]:
    """Requests a second, percentiles in ms, and the versions that the clusters are at now."""
    loop = asyncio.get_running_loop()
    begun = perf_counter()
    connections = []
    for cluster in what["clusters"]:  # type: ignore[attr-defined]  # a list of pairs
        made = Connection(tuple(cluster), str(what["token"]), write=write, until=begun + seconds)
        await loop.create_connection(lambda made=made: made, "127.0.0.1", port)  # type: ignore[misc]  # bound at once
        connections.append(made)
    async with asyncio.timeout(seconds + _LATEST):
        await asyncio.gather(*(one.ended for one in connections))
    took = [value * 1000 for one in connections for value in one.took]
    return {
        "rate": len(took) / (perf_counter() - begun),
        "p50": percentile(took, 0.5),
        "p99": percentile(took, 0.99),
        "requests": len(took),
        "refused": sum(one.refused for one in connections),
        "versions": [one.version for one in connections],
    }


if __name__ == "__main__":
    found = uvloop.run(load(int(sys.argv[1]), float(sys.argv[2]), json.load(sys.stdin), write=sys.argv[3] == "write"))
    sys.stdout.write(json.dumps(found))
