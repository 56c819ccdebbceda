"""Whether all is well: what all services tell of themselves, and what of it needs somebody.

`kei status` and the console's page for operators say the same, because they ask and judge by this.
"""

from shared.overview.facts import Row, Told, Unknown
from shared.overview.findings import Finding, age, findings, producer_of
from shared.overview.look import NotAdmitted, look

__all__ = ["Finding", "NotAdmitted", "Row", "Told", "Unknown", "age", "findings", "look", "producer_of"]
