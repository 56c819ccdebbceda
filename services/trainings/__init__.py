"""trainings: what is taught, who has a seat, who was there.

Owns       activities, registrations, attendance; a copy of the clusters' names.
Publishes  training published, registration confirmed and waitlisted, training completed.
Consumes   cluster registered and changed.
Promises   seats are never given twice; who waits is served first come, first served; every gain names who gained what.
"""
