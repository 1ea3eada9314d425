"""glusterio as a peer of ``make bench``::

python -m tests.bench.own threads[,whole] LINE PARAMETERS
python -m tests.bench.own aio[,uvloop][,tasks] LINE PARAMETERS
"""

from __future__ import annotations

import importlib
import json
import sys

from tests.bench.own.serving import rss

face, *options = sys.argv[1].split(",")
started_with = rss()
module = importlib.import_module(f"tests.bench.own.{face}")
sys.exit(module.serve(sys.argv[2], json.loads(sys.argv[3]), options, started_with))
