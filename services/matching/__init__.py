"""matching: which cluster should learn from which, and why.

Owns       criteria, runs, what-ifs, pairs and the slots they take, mentorships, the ledger; a projection of members and
           of gains.
Publishes  run.published, pair.proposed, pair.accepted, pair.declined, pair.expired, pair.withdrawn, mentorship.started,
           mentorship.met, mentorship.nudged, mentorship.asked, mentorship.ended, mentorship.confirmed.
Consumes   cluster.registered, cluster.changed, cluster.archived, capacity.changed, label.expired, assessment.recorded,
           target.set, service.requested, training.published, training.completed.
Promises   a plan is proved optimal under both sides' capacities, or states its optimality gap; no side is ever over its
           capacity; every score has its reasons.
"""
