"""The fake clock: the user's face of the loops whose time is driven."""
