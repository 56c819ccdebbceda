"""trainings: activities, who has a seat, who attended.

Owns       activities, registrations, attendance; a projection of clusters.
Publishes  training.published, training.completed, registration.confirmed, registration.waitlisted.
Consumes   cluster.registered, cluster.changed, cluster.archived.
Promises   no seat is given twice; the waiting list is first come, first served; every gain names the cluster and the
           indicator.
"""
