"""members: the clusters, what they can teach and what they need.

Owns       consortia, clusters, assessment frameworks, assessments, targets, service requests.
Publishes  cluster.registered, cluster.changed, cluster.archived, capacity.changed, label.expired, assessment.recorded,
           target.set, service.requested.
Consumes   nothing.
Promises   a level names the assessment that it comes from; every change of a cluster increments its version.
"""
