"""The clients that glusterio is compared with. `catalogue` has them all."""
