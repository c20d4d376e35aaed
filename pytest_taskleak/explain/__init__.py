"""What can be said of a leftover?  Asked only of the guilty."""
