"""Which private names of other projects are read?  One file a library, each with its fallback."""
