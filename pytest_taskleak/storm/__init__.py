"""Shutdown storms: stop a service at every possible moment."""
