#!/usr/bin/env python3
"""Writes what a run of the bench printed into docs/benchmarks.md, between its markers, and draws docs/benchmarks.svg.

    tests/bench/run … | tests/bench/report.py docs/benchmarks.md

Reads the run's output on standard input and passes it on. The table has the median of the rounds and, for CPU time,
their range: the range of the hub's own rounds is the noise floor. Needs gnuplot (./dev bench installs it)."""
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
PEERS = {"hub": "Sluice", "node-red": "Node-RED", "syslog-ng": "syslog-ng, reliable disk buffer"}


def rows_of(lines):
    """The figures of each job, in the order in which the jobs first came: {job: [figures of a round, …]}."""
    jobs = {}
    for line in lines:
        if line.startswith("{"):
            figures = json.loads(line)
            jobs.setdefault(figures["job"], []).append(figures)
    return jobs


def median(rounds, *path):
    values = []
    for figures in rounds:
        for key in path:
            figures = figures.get(key) if isinstance(figures, dict) else None
        if figures is not None:
            values.append(figures)
    return statistics.median(values) if values else None


def spread(rounds):
    values = [figures["cpu_s_per_million"] for figures in rounds]
    return min(values), max(values)


def name_of(job):
    """What readers call a job: the hubs by their names."""
    who, _, pace = job.partition(" at ")
    return PEERS.get(who, who) + (f", at {pace}" if pace else "")


def cell(value, form):
    return "" if value is None else format(value, form)


def pair(rounds, key):
    low, high = median(rounds, key, "p50"), median(rounds, key, "p99")
    return "" if not high else f"{low:.2f} / {high:.2f}"


def section(jobs):
    rounds = max(len(r) for r in jobs.values())
    load = os.getloadavg()[1]
    out = [
        BEGIN,
        f"Taken {datetime.date.today()}, {rounds} rounds that took turns, {os.cpu_count()} cores shared by load, hub and destinations, "
        f"load average of the last five minutes {load:.1f}. Medians; in parentheses the range of the rounds.",
        "",
        "| job | events/s | CPU-s a million events | ack p50 / p99 ms | end to end p50 / p99 ms | profile API p50 / p99 ms | lost | twice | peak MiB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for job, figures in jobs.items():
        low, high = spread(figures)
        cpu = f"{median(figures, 'cpu_s_per_million'):.2f}" + (f" ({low:.2f} to {high:.2f})" if len(figures) > 1 else "")
        out.append(
            f"| {name_of(job)} | {median(figures, 'events_per_s'):,.0f} | {cpu} | {pair(figures, 'ack_ms')} | {pair(figures, 'end_to_end_ms')} "
            f"| {pair(figures, 'read_ms')} | {cell(median(figures, 'lost'), '.0f')} | {cell(median(figures, 'duplicates'), '.0f')} "
            f"| {cell(median(figures, 'peak_rss_mib'), '.0f')} |"
        )
    low, high = spread(jobs["hub"])
    middle = median(jobs["hub"], "cpu_s_per_million")
    noise = f"{(high - low) / middle * 100:.0f} %" if len(jobs["hub"]) > 1 else "not known from one round"
    out += [
        "",
        f"Noise floor: {noise} (the same job of the same hub between rounds). The peers keep tracked events and map them for one destination: "
        "no profiles, no audiences, no second destination, and nothing of theirs is durable but syslog-ng's buffer.",
        "",
        "![CPU time and latency, hub beside hub](benchmarks.svg)",
        END,
    ]
    return "\n".join(out)


def draw(jobs, to):
    """Two bar charts: CPU time at full speed, and latency at the first pace that all have."""
    hubs = [who for who in PEERS if who in jobs]
    paces = [job.partition(" at ")[2] for job in jobs if job.startswith("hub at ")]
    pace = next((p for p in paces if all(f"{who} at {p}" in jobs for who in hubs)), None)
    lines = []
    for who in hubs:
        paced = jobs.get(f"{who} at {pace}", [])
        low, high = median(paced, "end_to_end_ms", "p50") or 0, median(paced, "end_to_end_ms", "p99") or 0
        lines.append(f'"{PEERS[who].split(",")[0]}" {median(jobs[who], "cpu_s_per_million"):.2f} {low:.2f} {high:.2f}')
    script = f"""
set terminal svg size 860,340 font "sans,13" background "white"
set output "{to}"
set multiplot layout 1,2
set style data histograms
set style fill solid 0.85 noborder
set boxwidth 0.8
set grid ytics lc rgb "#dddddd"
set yrange [0:*]
$d << EOD
{chr(10).join(lines)}
EOD
set title "CPU-seconds a million events, full speed"
unset key
plot $d using 2:xtic(1) lc rgb "#2563a6"
set title "end to end at {pace or 'a pace'}, ms"
set key top left
plot $d using 3:xtic(1) title "p50" lc rgb "#2563a6", $d using 4 title "p99" lc rgb "#e0a030"
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def main():
    page = pathlib.Path(sys.argv[1])
    lines = []
    for line in sys.stdin:
        sys.stdout.write(line)
        sys.stdout.flush()
        lines.append(line)
    jobs = rows_of(lines)
    if "hub" not in jobs:
        sys.exit("report: the run has no figures of the hub: see above")
    text = page.read_text()
    if BEGIN not in text or END not in text:
        sys.exit(f"report: {page} lacks the markers {BEGIN} and {END}")
    before, rest = text.split(BEGIN, 1)
    page.write_text(before + section(jobs) + rest.split(END, 1)[1])
    draw(jobs, page.with_suffix(".svg"))


if __name__ == "__main__":
    main()
