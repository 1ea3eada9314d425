"""The translator graph and what lives in it: volfile, graph, frames, fds, the inode table."""
