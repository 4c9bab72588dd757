"""Envoy's external processor: whole exchanges out of a proxy that waits for nothing of ours (extra ``ext-proc``)."""
