"""performance/write-behind: answers writes before the brick has them, and answers for them.

What it keeps to, whatever the brick and the network do; docs/write-behind.md says it for users:

* overlapping writes reach the brick in the order of their acceptance (:mod:`.order`);
* whoever could see the difference waits: a READ of what is on its way, attributes, truncation, a lock;
* a write that fails later is told to every open file that has written, once, at its next write, flush,
  fsync or close, and else in the report of the teardown (:mod:`.writer`);
* nothing of it outlives RELEASE, and it never takes more memory than its windows.
"""

from glusterio.xlators.write_behind.fops import WriteBehind

__all__ = ["WriteBehind"]
