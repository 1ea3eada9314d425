"""The methods of a volume and of a file, by concept."""
