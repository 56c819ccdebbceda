"""notifications: the public feed for partners, and notices for clusters.

Owns       the public feed, partners and their keys, notices.
Publishes  nothing of its own: it mirrors every public event of the other services to `kei.public.v1`, unchanged.
Consumes   every public event.
Promises   the feed has no gap and never changes: a reader that goes on after a position gets exactly the rest, by every
           interface.
"""
