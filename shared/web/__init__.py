"""The HTTP layer of all services. A route declares its policy; its transaction commits before the response."""

from shared.schemas import Count, LongText, Name, RequestModel, ResponseModel, ShortText, Slug
from shared.web.app import create_app
from shared.web.drain import DRAIN, Drain
from shared.web.etags import IfMatch, etag
from shared.web.idempotency import delete_before, idempotency_table
from shared.web.limits import Limits
from shared.web.ops import Check, Collector, Ops
from shared.web.paging import Cursor, Page, Paging
from shared.web.problems import Problem, ProblemError
from shared.web.route import KeiRoute, Read, Router, Tx, long_lived
from shared.web.server import ProcessFailed, serve

__all__ = [
    "DRAIN",
    "Check",
    "Collector",
    "Count",
    "Cursor",
    "Drain",
    "IfMatch",
    "KeiRoute",
    "Limits",
    "LongText",
    "Name",
    "Ops",
    "Page",
    "Paging",
    "Problem",
    "ProblemError",
    "ProcessFailed",
    "Read",
    "RequestModel",
    "ResponseModel",
    "Router",
    "ShortText",
    "Slug",
    "Tx",
    "create_app",
    "delete_before",
    "etag",
    "idempotency_table",
    "long_lived",
    "serve",
]
