"""The status of all services, and the findings that need an operator.

`kei status` and the console's page for operators say the same, because they ask and judge by this.
"""

from shared.status.collect import AccessDenied, collect_status
from shared.status.diagnosis import Finding, age, diagnose, producer_of
from shared.status.models import MissingEvent, ServiceReport, ServiceStatus

__all__ = [
    "AccessDenied",
    "Finding",
    "MissingEvent",
    "ServiceReport",
    "ServiceStatus",
    "age",
    "collect_status",
    "diagnose",
    "producer_of",
]
