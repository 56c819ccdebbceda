"""The HTTP edge of all services. A route declares its policy; its transaction is committed before the reply leaves."""

from shared.web.app import create_app
from shared.web.drain import DRAIN, Drain
from shared.web.etags import IfMatch, etag
from shared.web.idempotency import forget, idempotency_table
from shared.web.limits import Limits
from shared.web.ops import Check, Collector, Ops
from shared.web.paging import Cursor, Page, Paging
from shared.web.problems import Problem, Refusal
from shared.web.route import KeiRoute, Read, Router, Tx, long_lived
from shared.web.schemas import Body, Count, Name, Note, Slug, Text, View
from shared.web.server import serve

__all__ = [
    "DRAIN",
    "Body",
    "Check",
    "Collector",
    "Count",
    "Cursor",
    "Drain",
    "IfMatch",
    "KeiRoute",
    "Limits",
    "Name",
    "Note",
    "Ops",
    "Page",
    "Paging",
    "Problem",
    "Read",
    "Refusal",
    "Router",
    "Slug",
    "Text",
    "Tx",
    "View",
    "create_app",
    "etag",
    "forget",
    "idempotency_table",
    "long_lived",
    "serve",
]
