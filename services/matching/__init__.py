"""matching: who should learn from whom, and why.

Owns       runs, pairs and the places they take; a projection of clusters, levels, targets, requests and gains.
Publishes  run published, pair proposed, accepted, declined.
Consumes   all of members, training completed.
Promises   a run is the exact optimum under both sides' capacities; no side is ever over its capacity; every score
says why.
"""
