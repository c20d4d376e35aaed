"""Loops whose time is driven: shared by the fake clock and the storm."""
