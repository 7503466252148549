"""Reads every face of a report with tools that this project did not write.

    python3 readers.py FOLDER SCHEMA

FOLDER holds a report, SCHEMA is report.schema.json. Needs the packages that `cargo xtask ci` installs into a folder of
its own: hdrhistogram, jsonschema, junitparser, prometheus_client, and pydantic_sarif, whose classes were generated from the
official schema of SARIF 2.1.0: they refuse unknown keys and wrong types, values and counts. Exits with 1 at the first face that does not say what
report.json says.
"""

import csv
import json
import re
import sys
from pathlib import Path

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from jsonschema import Draft202012Validator
from junitparser import Error, Failure, JUnitXml, Skipped
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Sarif

HOUR_NS = 3_600_000_000_000


def runs_of(report):
    return [run for section in report["sections"] for run in section["runs"]]


def read_json(folder, schema, report):
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(report)


def read_histograms(folder, report):
    runs = runs_of(report)
    for run in runs:
        latency = run["latency"]
        histogram = HdrHistogram.decode(latency["histogram"])
        assert histogram.get_total_count() == latency["samples"], run["name"]
        for percent, key in [(50, "p50_ns"), (90, "p90_ns"), (99, "p99_ns"), (99.9, "p999_ns")]:
            if latency[key] is not None:
                found = histogram.get_value_at_percentile(percent)
                # Its ranks are rounded to the nearest one, ours up: a neighbour's bucket may differ.
                low, high = latency[key] * 0.95, latency[key] * 1.05
                assert low <= found <= high or latency["samples"] < 10_000, (run["name"], key, found)


def read_log(folder, report):
    reader = HistogramLogReader(str(folder / "report.hlog"), HdrHistogram(1, HOUR_NS, 3))
    counts = []
    while (interval := reader.get_next_interval_histogram()) is not None:
        counts.append(interval.get_total_count())
    expected = [run["latency"]["samples"] for run in runs_of(report)]
    assert counts == expected, (counts, expected)
    distributions = list(folder.glob("report.*.hgrm"))
    assert len(distributions) == len(expected), distributions
    totals = [int(re.search(r"Total count\s*=\s*(\d+)", d.read_text())[1]) for d in distributions]
    assert sorted(totals) == sorted(expected), (totals, expected)


def read_junit(folder, report):
    suites = list(JUnitXml.fromfile(str(folder / "report.junit.xml")))
    assert [suite.name for suite in suites] == [s["name"] for s in report["sections"]]
    kinds = {"pass": None, "fail": Failure, "skipped": Skipped, "inconclusive": Error, "invalid": Error}
    for suite, section in zip(suites, report["sections"]):
        checks = section["checks"] or [section]
        cases = list(suite)
        assert [case.name for case in cases] == [check["name"] for check in checks]
        for case, check in zip(cases, checks):
            expected = kinds[check["verdict"]["is"]]
            seen = [type(result) for result in case.result]
            assert seen == ([expected] if expected else []), (case.name, seen)


def read_openmetrics(folder, report):
    families = list(text_string_to_metric_families((folder / "report.openmetrics.txt").read_text()))
    by_name = {family.name: family for family in families}
    latency = by_name["temper_latency_seconds"]
    counts = [s.value for s in latency.samples if s.name.endswith("_count")]
    assert counts == [run["latency"]["samples"] for run in runs_of(report)], counts
    figures = [figure["value"] for section in report["sections"] for figure in section["figures"]]
    assert [sample.value for sample in by_name["temper_figure"].samples] == figures


def read_tables(folder, report):
    with open(folder / "report.runs.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["samples"]) for row in rows] == [r["latency"]["samples"] for r in runs_of(report)]
    for row, run in zip(rows, runs_of(report)):
        assert row["max_ns"] == str(run["latency"]["max_ns"]), row
    with open(folder / "report.figures.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    figures = [figure for section in report["sections"] for figure in section["figures"]]
    assert [float(row["value"]) for row in rows] == [figure["value"] for figure in figures]
    for row, figure in zip(rows, figures):
        # The second of two figures of one name has its number behind it.
        assert row["figure"].startswith(figure["name"]), (row, figure)


def read_lists(folder, report):
    for name in ["smaller", "bigger"]:
        for entry in json.loads((folder / f"report.{name}-is-better.json").read_text()):
            assert isinstance(entry["value"], (int, float)) and entry["name"] and entry["unit"], entry
    for measures in json.loads((folder / "report.bencher.json").read_text()).values():
        for metric in measures.values():
            low, high = metric.get("lower_value"), metric.get("upper_value")
            assert low is None or low <= metric["value"], metric
            assert high is None or high >= metric["value"], metric


def read_sarif(folder, report):
    text = (folder / "report.sarif").read_text()
    Sarif.model_validate_json(text, strict=True)
    run = json.loads(text)["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        # What the standard says in words only.
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"], result
        assert result["kind"] == "fail" or result["level"] == "none", result
    kinds = {"pass": "pass", "fail": "fail", "skipped": "notApplicable", "inconclusive": "open", "invalid": "open"}
    expected = []
    for section in report["sections"]:
        told = {f"{run['contract']}: {clause['promise']}" for run in section["runs"] for clause in run["clauses"]}
        seen = [(check["name"], kinds[check["verdict"]["is"]]) for check in section["checks"]]
        expected += [kind for name, kind in seen if name in told or kind in ("fail", "open")]
    assert [result["kind"] for result in run["results"]] == expected


def main():
    folder, schema = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    report = json.loads((folder / "report.json").read_text())
    read_json(folder, schema, report)
    for read in [read_histograms, read_log, read_junit, read_openmetrics, read_tables, read_lists, read_sarif]:
        read(folder, report)
    print(f"readers: every face of {folder.name} says what report.json says ({len(runs_of(report))} runs)")


if __name__ == "__main__":
    main()
