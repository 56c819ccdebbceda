"""matching: who should learn from whom, and why.

Owns       runs, what-ifs, pairs and the places they take, which requests were answered; a projection of members, and of
gains.
Publishes  run published, pair proposed, accepted, declined.
Consumes   all of members, training completed.
Promises   a run is the exact optimum under both sides' capacities; no side is ever over its capacity; every score
says why.
"""
