"""The face for asyncio. What is in ``methods`` is also the source of the face for threads.

``methods`` holds the methods of a volume and of a file, by concept, as classes that ``volume.py`` and
``file.py`` put together; ``tools/sync_faces.py`` makes ``glusterio.api.threads.methods`` from them.
"""
