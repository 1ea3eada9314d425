"""Volfiles as glusterd 10.3 writes them for clients: the shapes that a graph has to take or refuse."""

from __future__ import annotations

#: ``gluster volume create gv0 server1:/bricks/gv0``: one brick, and distribute all the same
ONE_BRICK = """\
volume gv0-client-0
    type protocol/client
    option send-gids true
    option strict-locks off
    option transport.socket.keepalive-count 9
    option transport.socket.keepalive-interval 2
    option transport.socket.keepalive-time 20
    option transport.tcp-user-timeout 0
    option transport.socket.ssl-enabled off
    option transport.address-family inet
    option transport-type tcp
    option remote-subvolume /bricks/gv0
    option remote-host server1
    option ping-timeout 42
end-volume

volume gv0-dht
    type cluster/distribute
    option force-migration off
    option lock-migration off
    subvolumes gv0-client-0
end-volume

volume gv0-utime
    type features/utime
    option noatime on
    subvolumes gv0-dht
end-volume

volume gv0-write-behind
    type performance/write-behind
    subvolumes gv0-utime
end-volume

volume gv0-open-behind
    type performance/open-behind
    subvolumes gv0-write-behind
end-volume

volume gv0-quick-read
    type performance/quick-read
    subvolumes gv0-open-behind
end-volume

volume gv0-md-cache
    type performance/md-cache
    subvolumes gv0-quick-read
end-volume

volume gv0-io-threads
    type performance/io-threads
    subvolumes gv0-md-cache
end-volume

volume gv0
    type debug/io-stats
    option global-threading off
    option count-fop-hits off
    option latency-measurement off
    option threads 16
    option log-level INFO
    subvolumes gv0-io-threads
end-volume
"""


def with_feature(xlator_type: str, *options: str) -> str:
    """The one-brick volume with a translator between distribute and utime, as glusterd adds one."""
    added = "\n".join(
        [
            "volume gv0-added",
            f"    type {xlator_type}",
            *(f"    option {option}" for option in options),
            "    subvolumes gv0-dht",
            "end-volume",
            "",
            "",
        ]
    )
    before, utime, after = ONE_BRICK.partition("volume gv0-utime\n")
    return before + added + utime + after.replace("subvolumes gv0-dht", "subvolumes gv0-added")


def of_bricks(count: int, xlator_type: str) -> str:
    """A volume of several bricks, which ``xlator_type`` combines, below distribute."""
    clients = "".join(
        f"volume rep-client-{number}\n"
        "    type protocol/client\n"
        f"    option remote-subvolume /bricks/rep{number}\n"
        f"    option remote-host server{number}\n"
        "end-volume\n\n"
        for number in range(count)
    )
    names = " ".join(f"rep-client-{number}" for number in range(count))
    return (
        clients + f"volume rep-0\n    type {xlator_type}\n    subvolumes {names}\nend-volume\n\n"
        "volume rep-dht\n    type cluster/distribute\n    subvolumes rep-0\nend-volume\n\n"
        "volume rep\n    type debug/io-stats\n    subvolumes rep-dht\nend-volume\n"
    )
