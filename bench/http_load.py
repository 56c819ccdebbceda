"""The HTTP load, in a separate process: `python -m bench.http_load PORT SECONDS read|write < parameters.json`.

wrk is not used, because each connection has to send the ETag of its previous response. The client keeps 32
connections busy on loopback for that many seconds and prints its measurements as JSON.
"""

import asyncio
import json
import sys
from itertools import count
from time import perf_counter

import httptools
import uvloop

from bench.harness import percentile

_CLOSE_TIMEOUT = 5.0


class Connection(asyncio.Protocol):
    """One connection that always has one request in flight.

    Args:
        cluster: the id and current version of the cluster that it reads or changes.
        token: the bearer token.
        write: whether it changes the capacity or reads the cluster.
        deadline: when to stop, by `perf_counter`.
    """

    def __init__(self, cluster: tuple[str, int], token: str, *, write: bool, deadline: float) -> None:
        (self._id, self.version), self._token = cluster, token
        self._write, self._deadline = write, deadline
        self._parser = httptools.HttpResponseParser(self)
        self._numbers = count(1)
        self._sent_at = 0.0
        self.durations: list[float] = []
        self.failed = 0
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # it is one
        """Send the first request."""
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Finish; a connection that the server closed too early counts as failed."""
        if not self.closed.done():
            self.failed += exc is not None or perf_counter() < self._deadline
            self.closed.set_result(None)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store the version of the ETag."""
        if name.lower() == b"etag":
            self.version = int(value.strip(b'"v'))

    def on_message_complete(self) -> None:
        """Record the duration and send the next request."""
        self.durations.append(perf_counter() - self._sent_at)
        self.failed += self._parser.get_status_code() != 200  # noqa: PLR2004  OK
        self._parser = httptools.HttpResponseParser(self)
        if perf_counter() < self._deadline:
            self._send()
        else:
            self._transport.close()

    def _send(self) -> None:
        head = f"Host: 127.0.0.1\r\nAuthorization: Bearer {self._token}\r\n"
        if self._write:
            body = json.dumps({"mentor_capacity": next(self._numbers) % 100, "learner_capacity": 1})
            head += f'If-Match: "v{self.version}"\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n'
            request = f"PUT /clusters/{self._id}/capacity HTTP/1.1\r\n{head}\r\n{body}"
        else:
            request = f"GET /clusters/{self._id} HTTP/1.1\r\n{head}\r\n"
        self._sent_at = perf_counter()
        self._transport.write(request.encode())


async def load(port: int, seconds: float, parameters: dict[str, object], *, write: bool) -> dict[str, object]:
    """Requests a second, percentiles in ms, and the current versions of the clusters."""
    loop = asyncio.get_running_loop()
    started = perf_counter()
    connections = []
    for cluster in parameters["clusters"]:  # type: ignore[attr-defined]  # a list of pairs
        connection = Connection(tuple(cluster), str(parameters["token"]), write=write, deadline=started + seconds)
        await loop.create_connection(lambda connection=connection: connection, "127.0.0.1", port)  # type: ignore[misc]  # bound at once
        connections.append(connection)
    async with asyncio.timeout(seconds + _CLOSE_TIMEOUT):
        await asyncio.gather(*(connection.closed for connection in connections))
    durations = [value * 1000 for connection in connections for value in connection.durations]
    return {
        "rate": len(durations) / (perf_counter() - started),
        "p50": percentile(durations, 0.5),
        "p99": percentile(durations, 0.99),
        "requests": len(durations),
        "failed": sum(connection.failed for connection in connections),
        "versions": [connection.version for connection in connections],
    }


if __name__ == "__main__":
    result = uvloop.run(load(int(sys.argv[1]), float(sys.argv[2]), json.load(sys.stdin), write=sys.argv[3] == "write"))
    sys.stdout.write(json.dumps(result))
