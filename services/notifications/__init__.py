"""notifications: who must hear of it, people and partners.

Owns       the public feed, partners and their keys, notices for people.
Publishes  nothing of its own: it mirrors every public event of the others to `kei.public.v1`, unchanged.
Consumes   every public event.
Promises   the feed has no gap and never changes: who goes on after a position gets exactly the rest, on every way in.
"""
