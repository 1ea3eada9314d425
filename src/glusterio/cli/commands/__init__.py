"""The commands as the command line sees them: names, options, help. One file a group.

Each is put on the command line by :func:`glusterio.cli.root.command`, and does its work in a module of
``glusterio.cli`` that it imports when it is called, so that help and completion stay quick.
"""
