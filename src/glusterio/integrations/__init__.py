"""glusterio in other libraries' terms; each needs an extra of its name."""
