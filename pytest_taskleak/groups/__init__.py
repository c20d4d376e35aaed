"""Task groups that keep the books."""
