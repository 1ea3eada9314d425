"""``python -m glusterio``: the ``glusterio`` command."""

from glusterio.cli import main

if __name__ == "__main__":
    main()
