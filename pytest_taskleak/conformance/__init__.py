"""By which rules is a detector proven?  The rooms behind `pytest_taskleak.testing`."""
