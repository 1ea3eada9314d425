"""The embedded brick: a directory of this machine as a GlusterFS volume.

One process, two listening sockets: a small management daemon, which gives clients the volfile and the
brick's port, and the brick itself. Both speak GlusterFS's own protocol, so that any of its clients can
use them.
"""
