"""The alert rules in docs/operate, judged by Prometheus's own tool where that is installed."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

RULES = Path(__file__).parents[2] / "docs/operate/alerts.yml"
PROMTOOL = shutil.which("promtool")

pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="there is no promtool: apt-get install prometheus")

LOST = 'restante_leases_lost_total{upstream="default"}'
UNKNOWN = 'restante_finished_total{route="* /*",upstream="default",status="failed",outcome="interrupted"}'
DEAD = 'restante_webhook_seconds_count{outcome="dead"}'
ATTEMPTS = 'restante_upstream_seconds_count{upstream="default",result="%s"}'


def judged(tmp_path: Path, series: dict[str, str], alert: str, *, fires: bool) -> None:
    """Series by their values, one each 15 seconds; looked at after half an hour."""
    assert PROMTOOL is not None
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "15s",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [
                    {
                        "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)',
                        "eval_time": "30m",
                        "exp_samples": [{"labels": "{}", "value": int(fires)}],
                    }
                ],
            }
        ],
    }
    file = tmp_path / "test.yml"
    file.write_text(json.dumps(test), encoding="utf-8")
    done = subprocess.run([PROMTOOL, "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("series", "alert"),
    [(LOST, "RestanteLosesLeases"), (UNKNOWN, "RestanteOutcomesUnknown"), (DEAD, "RestanteDeadLetters")],
)
def test_a_first_occurrence_fires_once_and_not_for_ever(tmp_path: Path, series: str, alert: str) -> None:
    for values, fires in {
        "0x120": False,
        "0x100 1x20": True,
        "_x100 2x20": True,  # it had happened before anybody asked
        "2x120": alert == "RestanteDeadLetters",  # within the hour
        "3x60 0x40 1x20": True,  # a process that came back
    }.items():
        judged(tmp_path, {series: values}, alert, fires=fires)


def test_answers_of_4xx_are_no_failing_upstream(tmp_path: Path) -> None:
    for result, fires in {"4xx": False, "5xx": True, "unreachable": True}.items():
        series = {ATTEMPTS % result: "0+10x120", ATTEMPTS % "2xx": "0+1x120"}
        judged(tmp_path, series, "RestanteUpstreamFails", fires=fires)
