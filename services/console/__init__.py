"""console: the web pages for people, and the quiet design that all of them share.

Owns       nothing: it holds no data.
Publishes  nothing.
Consumes   nothing; it asks the services over HTTP, for everybody with a token of the role service and for operators
           with their own, and passes the partner feed on to browsers.
Promises   every page works without script and on a phone; a service that is away costs its part of a page only.
"""
