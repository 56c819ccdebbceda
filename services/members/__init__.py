"""members: who the clusters are, what they can teach and need.

Owns       consortia, clusters, assessment frameworks, assessments, targets, service requests.
Publishes  cluster registered and changed, capacity changed, assessment recorded, target set, service requested.
Consumes   nothing.
Promises   a level always says which assessment it comes from; every change of a cluster is a version of it.
"""
