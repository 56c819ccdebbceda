"""console: the web pages of Kei.

Owns       no data.
Publishes  nothing.
Consumes   nothing; it calls the services over HTTP, for public pages with a token of the role service and for users
           with their own token, and forwards the partner feed to browsers.
Promises   every page works without script and on a phone; while a service is unavailable only its part of a page is
           missing.
"""
