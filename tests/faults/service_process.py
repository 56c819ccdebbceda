"""A service in its own process, over the local transport, as `kei serve` runs it over Kafka.

python -m tests.faults.service_process SERVICE PORT PATIENCE    (settings from KEI_…; seconds for a stream reader)
"""

import importlib
import sys

from fastapi import FastAPI

from deploy.cli.common import in_loop
from services.notifications.routes import feed
from shared import logs
from shared.settings import Settings
from shared.transport.local import LocalTransport
from shared.web import serve, server

if __name__ == "__main__":
    service, port, patience = sys.argv[1:]
    feed.WRITE_TIMEOUT_SECONDS = server.WRITE_DEADLINE = float(patience)
    logs.set_up(service)
    app: FastAPI = importlib.import_module(f"services.{service}.main").build(Settings(), transport=LocalTransport())
    in_loop(serve(app, "127.0.0.1", int(port)))
