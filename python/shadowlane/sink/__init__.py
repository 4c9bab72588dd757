"""Receives copies that somebody else's mirror makes: nginx, Envoy, GoReplay. They come without prod's answer."""
