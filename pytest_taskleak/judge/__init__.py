"""Which leftovers are leaks, and whose?"""
