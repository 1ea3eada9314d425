"""The exporter, asked by Prometheus's own client over HTTP, and read by its own parser."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.parser import text_string_to_metric_families

import glusterio
from glusterio.integrations.prometheus import register
from glusterio.metrics import BUCKETS

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def registry() -> CollectorRegistry:
    made = CollectorRegistry()
    register(made)
    return made


@pytest.fixture
def address(registry: CollectorRegistry) -> Iterator[str]:
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    thread.join()
    server.server_close()


def scraped(address: str) -> dict[str, Any]:
    with urllib.request.urlopen(address, timeout=10) as answer:
        text = answer.read().decode("utf-8")
    return {family.name: family for family in text_string_to_metric_families(text)}


def values(families: dict[str, Any], **labels: str) -> dict[str, float]:
    """The samples that have these labels and no others, by name."""
    return {
        sample.name: sample.value
        for family in families.values()
        for sample in family.samples
        if sample.labels == labels
    }


def test_a_scrape_has_the_numbers_of_a_session(tmp_path: Path, address: str) -> None:
    with glusterio.connect(f"embedded://{tmp_path}", metrics=True) as vol:
        with vol.open_handle("/file", os.O_RDWR | os.O_CREAT) as file:
            file.pwrite(bytes(1000), 0)
            for _ in range(3):
                file.pread(100, 0)
            with pytest.raises(FileNotFoundError):
                vol.unlink("/nothing")
            told = vol.metrics()
            families = scraped(address)
        session = {"volume": told.volume, "session": str(told.session)}
        found = values(families, **session)
        assert found["glusterio_read_bytes_total"] == 300
        assert found["glusterio_written_bytes_total"] == 1000
        assert found["glusterio_handles_open"] == 1
        assert found["glusterio_calls_in_flight"] == 0
        assert found["glusterio_calls_total"] == told.calls
        assert found["glusterio_reconnects_total"] == 0
        assert found["glusterio_graph_switches_total"] == 0
        reads = values(families, **session, operation="pread")
        assert reads["glusterio_operation_duration_seconds_count"] == 3
        assert reads["glusterio_operation_duration_seconds_sum"] > 0
        errors = values(families, **session, operation="unlink", error="ENOENT")
        assert errors == {"glusterio_operation_errors_total": 1}
        buckets = [
            (sample.labels["le"], sample.value)
            for sample in families["glusterio_operation_duration_seconds"].samples
            if sample.name.endswith("_bucket")
            and sample.labels["operation"] == "pread"
            and sample.labels["session"] == session["session"]
        ]
        assert [float(bound) for bound, _ in buckets] == [*BUCKETS, float("inf")]
        assert buckets[-1] == ("+Inf", 3)
        assert [count for _, count in buckets] == sorted(count for _, count in buckets)
    assert values(scraped(address), **session) == {}, "it has ended"


def test_a_session_that_does_not_count_tells_what_it_holds(tmp_path: Path, address: str) -> None:
    with glusterio.connect(f"embedded://{tmp_path}") as vol:
        told = vol.metrics()
        session = {"volume": told.volume, "session": str(told.session)}
        found = values(scraped(address), **session)
    assert found["glusterio_handles_open"] == 0
    assert "glusterio_read_bytes_total" not in found


def test_names_and_types_are_as_prometheus_wants_them(tmp_path: Path, address: str) -> None:
    with glusterio.connect(f"embedded://{tmp_path}", metrics=True) as vol:
        vol.listdir("/")
        families = scraped(address)
    ours = {name: family for name, family in families.items() if name.startswith("glusterio_")}
    assert len(ours) >= 14
    for name, family in ours.items():
        assert family.documentation
        assert family.type in ("counter", "gauge", "histogram")
        if family.type == "counter":
            assert {sample.name for sample in family.samples} <= {f"{name}_total"}


def test_a_registry_is_told_once(registry: CollectorRegistry) -> None:
    with pytest.raises(ValueError, match="Duplicated"):
        register(registry)


def test_without_the_extra() -> None:
    program = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        "import glusterio.integrations.prometheus"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=20)
    assert done.stderr.endswith(b": pip install 'glusterio[prometheus]'\n")
