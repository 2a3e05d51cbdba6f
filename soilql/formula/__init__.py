"""What a formula says before any data are read: its units, what its parameters can tell, and where it has no value."""
