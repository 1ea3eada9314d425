"""What can keep a client from a volume: what each trouble means, and what to do about it."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Remedy(NamedTuple):
    """What is told about a trouble.

    Attributes:
        meaning: what it means.
        advice: what to do.
    """

    meaning: str
    advice: str


class Trouble(Enum):
    """A kind of trouble; its value is what is told about it."""

    UNKNOWN_HOST = Remedy(
        "the name has no address",
        "check the spelling, /etc/hosts and the name server; bricks are named as `gluster volume info`"
        " shows them, and every client has to know these names",
    )
    NOBODY_LISTENS = Remedy(
        "the machine is there, but nothing listens on that port",
        "start the server there (`systemctl start glusterd`, `gluster volume start VOLUME`, `glusterio"
        " serve`), or correct the port",
    )
    BLACK_HOLE = Remedy(
        "what is sent there vanishes: the machine is down, or a firewall drops it",
        "check that the machine runs, and let TCP through to port 24007 and to the bricks' ports (from"
        " 49152 on for glusterd's)",
    )
    UNREACHABLE = Remedy(
        "the network has no way to the machine",
        "check the routes and the addresses on both sides",
    )
    NO_SOCKET = Remedy(
        "there is no such socket, or it is not for us",
        "check its path, that the daemon runs, and who may use it",
    )
    SILENT = Remedy(
        "something takes connections there, but says nothing",
        "look whether the process hangs (is stopped, waits for a disk), or whether it is another"
        " service's port",
    )
    CLOSED = Remedy(
        "the server does not want this connection, or it is not GlusterFS's",
        "look into the server's log; a GlusterFS brick without a client's certificate does this, and so"
        " does a server with too many connections",
    )
    TLS = Remedy(
        "the server wants TLS, and nobody told us so",
        "a brick: `gluster volume set VOLUME client.ssl on`, as server.ssl is; a management daemon: a"
        " URL that begins with gluster+tls://. Programs give connect() ssl=, an ssl.SSLContext",
    )
    NO_TLS = Remedy(
        "we are told to speak TLS, and the server does not",
        "a brick: `gluster volume set VOLUME server.ssl on`, as client.ssl is, then stop and start it;"
        " a management daemon: a URL that begins with gluster://, and no"
        " /var/lib/glusterd/secure-access here",
    )
    TLS_FILES = Remedy(
        "TLS is wanted, and our certificate, its key or the authorities cannot be read",
        "put them where the volume's ssl.own-cert, ssl.private-key and ssl.ca-list say, or else to"
        " /etc/ssl/glusterfs.pem, .key and .ca",
    )
    OUR_CERTIFICATE = Remedy(
        "the server does not accept our certificate",
        "look whether it has expired (`openssl x509 -text`), and have its authority among those that"
        " the server trusts (ssl.ca-list there)",
    )
    ITS_CERTIFICATE = Remedy(
        "we do not accept the server's certificate",
        "look whether it has expired (`openssl s_client -connect HOST:PORT`), and have its authority"
        " among those that we trust (ssl.ca-list, /etc/ssl/glusterfs.ca)",
    )
    TLS_FAILED = Remedy(
        "both speak TLS, and do not come to terms",
        "compare the versions and the ciphers that both sides allow (ssl.cipher-list)",
    )
    HTTP = Remedy("a web server listens there", "correct the host or the port in the URL")
    NOT_RPC = Remedy(
        "what comes back is not RPC: another service listens there",
        "correct the host or the port in the URL",
    )
    NOT_MANAGEMENT = Remedy(
        "this is no management daemon: it has no volfiles",
        "give the management daemon's port in the URL (24007 by default), not a brick's",
    )
    NO_PROGRAM = Remedy(
        "the server does not offer what a client needs",
        "check that it is a GlusterFS server of version 4 or later",
    )
    VERSION = Remedy(
        "the server speaks other versions of the protocol",
        "glusterio needs version 400 of the file operations (GlusterFS 4.0 or later)",
    )
    UNKNOWN_VOLUME = Remedy(
        "the management daemon has no volume of this name",
        "check the spelling (`gluster volume list`, `glusterio volume list`)",
    )
    NO_VOLFILE = Remedy(
        "the management daemon does not give the volfile",
        "look into its log; a volume with features of a newer version needs a newer client",
    )
    BROKEN_VOLFILE = Remedy(
        "the volfile does not parse", "look at it with `gluster system getspec`"
    )
    UNREADABLE = Remedy("it cannot be read", "check the path and the permissions")
    UNSUPPORTED = Remedy(
        "the volume is made of parts that glusterio does not have yet",
        "use a volume of one brick, without these features, or GlusterFS's own client",
    )
    BRICK_DOWN = Remedy(
        "the management daemon knows the brick's port only while the brick runs",
        "`gluster volume start VOLUME force`, and look into the brick's log"
        " (/var/log/glusterfs/bricks)",
    )
    DENIED = Remedy(
        "the server denies every call from our source port or credential",
        "`gluster volume set VOLUME server.allow-insecure on`, or run as root, which may come from a"
        " port below 1024",
    )
    NOT_ALLOWED = Remedy(
        "the brick lets in neither this address nor this login",
        "check auth.allow, auth.reject and auth.ssl-allow of the volume, and the user name and password"
        " in the volfile; the brick's log names the address that it saw",
    )
    STARTING = Remedy("the brick is still starting", "try again in a moment")
    ANOTHER_BRICK = Remedy(
        "on this port another brick listens, or none of this name",
        "the volfile is out of date or wrong: the brick was moved or made anew",
    )
    NO_DIRECTORY = Remedy(
        "the directory that shall be the root is not there", "make it, or correct subdir-mount"
    )
    NO_FILE = Remedy("there is no such file", "correct the path")
    TOO_MANY = Remedy(
        "the brick has as many clients as it takes",
        "close sessions that nobody needs; `glusterio statedump` lists them",
    )
    REFUSED = Remedy("the brick refuses us", "look into the brick's log for the reason")
    SLOW = Remedy(
        "each call takes as long as a ping at least",
        "keep many calls in flight; look at the network and at the load of the brick's machine",
    )
