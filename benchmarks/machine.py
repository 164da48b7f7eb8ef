"""What the machine does at this minute: a yardstick beside every measurement."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from datetime import UTC, datetime, timedelta
from typing import Any

TABLES = """
    DROP TABLE IF EXISTS raw_history, raw_job;
    CREATE TABLE raw_job (id bigserial PRIMARY KEY, job_type varchar(200), args jsonb, state varchar(12),
        state_at timestamptz, started_at timestamptz, finished_at timestamptz, run int DEFAULT 0, worker varchar(80),
        result jsonb, expires_at timestamptz);
    CREATE INDEX ON raw_job (job_type, id);
    CREATE INDEX ON raw_job (id) WHERE state = 'enqueued';
    CREATE INDEX ON raw_job (expires_at) WHERE expires_at IS NOT NULL;
    CREATE TABLE raw_history (id bigserial PRIMARY KEY, job_id bigint, name varchar(12), at timestamptz, data jsonb);
    CREATE INDEX ON raw_history (job_id)"""
FILL = """
    INSERT INTO raw_job (job_type, args, state, state_at)
    SELECT 'raw', jsonb_build_array(g, 1), 'enqueued', now() FROM generate_series(1, %s) g RETURNING id"""
CLAIM = """
    WITH got AS (UPDATE raw_job SET state = 'processing', state_at = %(at)s, started_at = %(at)s, run = run + 1,
        worker = %(me)s WHERE id = ANY(%(ids)s) AND state = 'enqueued' RETURNING id, args),
    noted AS (INSERT INTO raw_history (job_id, name, at, data)
        SELECT id, 'processing', %(at)s, jsonb_build_object('worker', %(me)s::text) FROM got)
    SELECT id, args FROM got"""
FINISH = """
    WITH moved AS (UPDATE raw_job j SET state = 'succeeded', state_at = %(at)s, finished_at = %(at)s,
        result = e.result::jsonb, expires_at = %(until)s
        FROM unnest(%(ids)s::bigint[], %(results)s::text[]) e(id, result)
        WHERE j.id = e.id AND j.state = 'processing' AND j.worker = %(me)s RETURNING j.id)
    INSERT INTO raw_history (job_id, name, at, data) SELECT id, 'succeeded', %(at)s, '{"seconds": 0.1}' FROM moved"""


def calibrate() -> dict[str, float]:
    """Millions of turns of an empty loop a second, and steal and load while it ran."""
    began = time.perf_counter()
    for _ in range(5_000_000):
        pass
    return {"loop_mops": round(5 / (time.perf_counter() - began), 1), "load": os.getloadavg()[0]}


def raw_statements(database: str, redis_url: str, jobs: int, size: int = 64) -> float:
    """Jobs a second that two processes reach with nothing but the statements: claim, "run", record, history."""
    import psycopg
    from redis import Redis

    client = Redis.from_url(redis_url)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLES)
        ids = [row[0] for row in connection.execute(FILL, [jobs]).fetchall()]
        connection.execute("ANALYZE raw_job")
    client.delete("raw:queue")
    for start in range(0, jobs, 5000):
        client.rpush("raw:queue", *ids[start : start + 5000])
    told: Any = multiprocessing.get_context("spawn").Queue()
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_work, args=(database, redis_url, size, told)) for _ in range(2)]
    for one in workers:
        one.start()
    spans = [told.get() for _ in workers]
    for one in workers:
        one.join()
    return jobs / (max(span[1] for span in spans) - min(span[0] for span in spans))


def _work(database: str, redis_url: str, size: int, told: Any) -> None:
    import psycopg
    from redis import Redis

    client, me, first, last = Redis.from_url(redis_url), f"raw{os.getpid()}", time.time() + 1e6, 0.0
    with psycopg.connect(database, autocommit=True) as connection:
        while popped := client.execute_command("BLMPOP", 1, 1, "raw:queue", "LEFT", "COUNT", size):
            now = datetime.now(UTC)
            first = min(first, time.time())
            got = connection.execute(CLAIM, {"at": now, "me": me, "ids": [int(one) for one in popped[1]]}).fetchall()
            results = [json.dumps(args[0] + args[1]) for _, args in got]
            now = datetime.now(UTC)
            ended = {"at": now, "until": now + timedelta(days=1), "ids": [row[0] for row in got], "results": results}
            connection.execute(FINISH, {**ended, "me": me})
            last = time.time()
    told.put((first, last))
