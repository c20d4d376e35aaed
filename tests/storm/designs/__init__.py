"""Published designs that fail when they are stopped at the wrong moment, and beside each what mends it.

Each takes the environment of a run.  The class that is named for its mistake has it; the other one has not.
"""
