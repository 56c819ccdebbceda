"""Whether all is well: what all services tell of themselves, and what of it needs somebody.

`kei status` and the console's page for operators say the same, because they ask and judge by this.
"""

from shared.status.collect import NotAdmitted, collect_status
from shared.status.diagnosis import Finding, age, diagnose, producer_of
from shared.status.models import Row, Told, Unknown

__all__ = ["Finding", "NotAdmitted", "Row", "Told", "Unknown", "age", "collect_status", "diagnose", "producer_of"]
