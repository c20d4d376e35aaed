"""Published designs as they were described, each with the mistakes that ours must not repeat.

A test of a row runs one check over ours and over the twin: the check fails for the twin.
"""
