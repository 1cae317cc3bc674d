"""Counting, in one process and in several."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from restante.core.policy import ANY_ROUTE, Policy, Route, Upstream
from restante.gateway.problems import REASONS
from restante.telemetry import Metrics
from restante.telemetry.prometheus import SHARED
from restante.telemetry.tally import TOGETHER

from ..core.samples import a_transaction

COUNTING = """
from restante.core.policy import ANY_ROUTE
from restante.telemetry import Metrics
metrics = Metrics()
metrics.accepted(ANY_ROUTE, [None] * {count})
print(metrics.write("", [])[0].decode())
"""


def counted(folder: Path, count: int) -> str:
    """What a process that has counted so far says."""
    done = subprocess.run(
        [sys.executable, "-c", COUNTING.format(count=count)],
        env={**os.environ, SHARED: str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_processes_of_one_address_count_together(tmp_path: Path) -> None:
    counted(tmp_path, 2)
    assert 'restante_accepted_total{route="* /*",upstream="default"} 5.0' in counted(tmp_path, 3)


def test_each_has_counts_of_its_own_otherwise() -> None:
    first, second = Metrics(), Metrics()
    first.accepted(ANY_ROUTE, [a_transaction(), a_transaction()])
    assert b'restante_accepted_total{route="* /*",upstream="default"} 2.0' in first.write("", [])[0]
    assert b"restante_accepted_total{" not in second.write("", [])[0]


def test_what_the_configuration_names_is_there_at_0_before_it_happens() -> None:
    upstreams = {name: Upstream(name=name, host="h", port=1, authority="h") for name in ("default", "slow")}
    routes = (Route(method="POST", path="/a", upstream="slow"), Route(path="/b/*"))
    written, _ = Metrics(Policy(upstreams=upstreams, routes=routes), REASONS).write("", [])
    seen: dict[str, set[tuple[str, ...]]] = {}
    for family in text_string_to_metric_families(written.decode()):
        for sample in family.samples:
            if sample.name.endswith("_total"):
                assert sample.value == 0 or not sample.name.startswith("restante_"), sample
                seen.setdefault(sample.name, set()).add(
                    tuple(value for _, value in sorted(sample.labels.items()))
                )
    assert seen["restante_leases_lost_total"] == {("default",), ("slow",)}
    names = {("POST /a", "slow"), ("* /b/*", "default"), ("* /*", "default")}
    assert seen["restante_accepted_total"] == names
    ends = seen["restante_finished_total"]
    assert {labels[1::2] for labels in ends} == names
    assert {("interrupted", "failed"), ("", "cancelled")} <= {labels[::2] for labels in ends}
    assert {("queue-full",), ("storage-full",), ("store-unavailable",), ("internal-error",)} <= seen[
        "restante_refused_total"
    ]
    assert b'restante_webhook_seconds_count{outcome="dead"} 0.0' in written


def test_what_is_strict_has_no_route_for_all() -> None:
    upstream = Upstream(host="h", port=1, authority="h")
    written, _ = Metrics(Policy(upstreams={"default": upstream}, strict=True)).write("", [])
    assert b'route="* /*"' not in written


COUNTED_AT_ONCE = """
from restante.telemetry import Metrics
from tests.core.samples import a_transaction
metrics = Metrics()
for _ in range(3):
    metrics.attempted(a_transaction(), 1, "2xx", began=0, ended=2000)
"""


@pytest.mark.parametrize("count", [1, TOGETHER - 1, TOGETHER, TOGETHER + 1])
def test_whoever_asks_is_told_of_every_span(count: int) -> None:
    metrics = Metrics()
    for _ in range(count):
        metrics.attempted(a_transaction(), 1, "2xx", began=0, ended=2000)
    for asked in (1, 2):  # once each
        written = metrics.write("", [])[0].decode()
        labels = 'result="2xx",upstream="default"'
        assert f"restante_upstream_seconds_count{{{labels}}} {count}.0" in written, asked
        assert f'restante_upstream_seconds_bucket{{le="0.0025",{labels}}} {count}.0' in written
        assert f'restante_upstream_seconds_bucket{{le="0.001",{labels}}} 0.0' in written


def test_what_a_process_has_counted_is_there_for_others_at_once(tmp_path: Path) -> None:
    env = {**os.environ, SHARED: str(tmp_path), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", COUNTED_AT_ONCE], env=env, check=True, cwd=Path.cwd())
    assert 'restante_upstream_seconds_count{result="2xx",upstream="default"} 3.0' in counted(tmp_path, 1)
