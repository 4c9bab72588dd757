"""``shadowlane guard``: a forward proxy in front of a shadow service, in whatever language that is written.

The service gets ``HTTP_PROXY`` and ``HTTPS_PROXY``; the proxy lets reads through to hosts on a list. It cannot see
inside TLS: a CONNECT is classified by its host alone, so hosts for CONNECT are a list of their own.
"""
