#!/usr/bin/env python
"""report.py [FILE [SYSTEM]]: raw/results.jsonl -> Markdown tables (medians; [min-max] over the passes where it matters)."""

import json
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median

f = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "raw/results.jsonl"
D = defaultdict(list)
order = []
for line in open(f):
    r = json.loads(line)
    if len(sys.argv) > 2 and r["system"] != sys.argv[2]:
        continue
    kind = r["kind"] + (f"@{r['rate']:.0f}" if r["kind"] == "latency" else "")
    D[r["system"], kind].append(r)
    if r["system"] not in order:
        order.append(r["system"])


def m(s, kind, key, nd=0):
    v = [r[key] for r in D[s, kind] if r.get(key) is not None]
    return f"{median(v):,.{nd}f}" if v else "–"


def rng(s, kind, key, nd=0):
    v = [r[key] for r in D[s, kind] if r.get(key) is not None]
    return f"{median(v):,.{nd}f} [{min(v):,.{nd}f}–{max(v):,.{nd}f}]" if v else "–"


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" + "---:|" * (len(head) - 1))
    for r in rows:
        if any(c != "–" for c in r[1:]):
            print("| " + " | ".join(r) + " |")
    print()


print("### Throughput and latency (median [min–max] of the passes)\n")
table(
    [
        "system",
        "enqueue one by one, jobs/s",
        "bulk, jobs/s",
        "drain, jobs/s",
        "N",
        "latency p50 ms",
        "p95",
        "p99",
        "peak RSS MB (procs)",
        "peak PSS MB",
    ],
    [
        [
            s,
            rng(s, "enqueue_one", "jps"),
            rng(s, "enqueue_bulk", "jps"),
            rng(s, "drain", "jps"),
            m(s, "drain", "n"),
            rng(s, "latency@50", "p50_ms", 1),
            m(s, "latency@50", "p95_ms", 1),
            m(s, "latency@50", "p99_ms", 1),
            f"{m(s, 'drain', 'peak_rss_mb')} ({m(s, 'drain', 'procs')})" if D[s, "drain"] else "–",
            m(s, "drain", "peak_pss_mb"),
        ]
        for s in order
    ],
)
print("### Where a drained job spends its time (CPU µs per job, medians) and what it sends\n")
table(
    [
        "system",
        "worker CPU µs",
        "PostgreSQL CPU µs",
        "Redis CPU µs",
        "all CPU µs",
        "Redis commands",
        "PG commits",
        "WAL bytes",
        "enqueue WAL bytes",
        "jobs/s by own timestamps",
        "steal+foreign % of a core",
    ],
    [
        [
            s,
            m(s, "drain", "us_worker_cpu"),
            m(s, "drain", "us_pg_cpu"),
            m(s, "drain", "us_redis_cpu"),
            f"{sum(median(r[k] for r in D[s, 'drain']) for k in ('us_worker_cpu', 'us_pg_cpu', 'us_redis_cpu')):,.0f}"
            if D[s, "drain"]
            else "–",
            m(s, "drain", "redis_cmds_per_job", 1),
            m(s, "drain", "pg_commits_per_job", 1),
            m(s, "drain", "wal_per_job"),
            m(s, "enqueue_one", "wal_per_job"),
            m(s, "drain", "own_record_jps"),
            "/".join(str(r["steal_pct"] + r["foreign_pct"]) for r in D[s, "drain"]),
        ]
        for s in order
    ],
)
low = [s for s in order if D[s, "latency@10"]]
if low:
    print("### Latency at 10 jobs/s (systems that saturate at 50/s)\n")
    table(
        ["system", "p50 ms", "p95", "p99"],
        [
            [s, rng(s, "latency@10", "p50_ms", 1), m(s, "latency@10", "p95_ms", 1), m(s, "latency@10", "p99_ms", 1)]
            for s in low
        ],
    )
sc = [r["loop_mops"] for v in D.values() for r in v if "loop_mops" in r]
print(
    f"Python loop score beside the measurements: median {median(sc):.1f} Mops/s, range {min(sc)}–{max(sc)}; "
    f"runs repeated because disturbed: {sum(r.get('attempt', 0) > 0 for v in D.values() for r in v)} of {sum(map(len, D.values()))}."
)
errs = [(s, r.get("tag"), r["error"]) for (s, k), v in D.items() if k == "error" for r in v]
if errs:
    print("\nErrors:", errs)
