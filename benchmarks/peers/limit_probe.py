"""What raw statements reach here: the same work (claim, run, acknowledge, history) without any product around it, two processes. A yardstick for this machine, this minute."""

import json
import multiprocessing as mp
import os
import time
from datetime import UTC, datetime, timedelta

import psycopg
import redis

URL, N, B = os.environ["PGURL"], int(os.environ.get("N", "30000")), 64
R = redis.Redis.from_url(os.environ["REDIS_URL"])
Q = "limit:queue"
DDL = """drop table if exists limit_state, limit_job; create table limit_job(id bigserial primary key, job_type varchar(200), queue varchar(50), args jsonb, kwargs jsonb, state varchar(12),
 state_at timestamptz, created_at timestamptz, started_at timestamptz, finished_at timestamptz, run int default 0, worker varchar(80), result jsonb, expires_at timestamptz);
 create index on limit_job(state,queue,id); create index on limit_job(job_type,id desc); create index on limit_job(expires_at) where expires_at is not null;
 create table limit_state(id bigserial primary key, job_id bigint references limit_job(id), name varchar(12), at timestamptz, reason varchar(200), data jsonb); create index on limit_state(job_id);"""


def worker(out):
    c = psycopg.connect(URL)
    me = f"w{os.getpid()}"
    n = 0
    first = last = None
    while True:
        p = R.execute_command("BLMPOP", 1, 1, Q, "LEFT", "COUNT", B)
        if not p:
            break
        now = datetime.now(UTC)
        first = first or time.time()
        with c.transaction():
            rows = c.execute(
                "update limit_job set state='processing',state_at=%s,started_at=%s,worker=%s,run=run+1 where id=any(%s) and state='enqueued' returning id,args",
                (now, now, me, [int(x) for x in p[1]]),
            ).fetchall()
            c.execute(
                "insert into limit_state(job_id,name,at,reason,data) select unnest(%s::bigint[]),'processing',%s,'',jsonb_build_object('worker',%s::text)",
                ([r[0] for r in rows], now, me),
            )
        res = [json.dumps(a[0] + a[1]) for _, a in rows]
        now = datetime.now(UTC)
        with c.transaction():
            c.execute(
                "update limit_job j set state='succeeded',state_at=%s,finished_at=%s,result=v.r::jsonb,expires_at=%s from unnest(%s::bigint[],%s::text[]) v(id,r) where j.id=v.id and j.state='processing' and j.worker=%s",
                (now, now, now + timedelta(days=1), [r[0] for r in rows], res, me),
            )
            c.execute(
                "insert into limit_state(job_id,name,at,reason,data) select unnest(%s::bigint[]),'succeeded',%s,'','{\"ms\":0.01}'::jsonb",
                ([r[0] for r in rows], now),
            )
        n += len(rows)
        last = time.time()
    out.put((n, first, last))


if __name__ == "__main__":
    with psycopg.connect(URL, autocommit=True) as c:
        c.execute(DDL)
        now = datetime.now(UTC)
        ids = [
            r[0]
            for r in c.execute(
                "insert into limit_job(job_type,queue,args,kwargs,state,state_at,created_at) select 'noop','default',jsonb_build_array(g,1),'{}','enqueued',%s,%s from generate_series(1,%s) g returning id",
                (now, now, N),
            ).fetchall()
        ]
    R.delete(Q)
    [R.rpush(Q, *ids[i : i + 5000]) for i in range(0, N, 5000)]
    out = mp.Queue()
    ps = [mp.Process(target=worker, args=(out,)) for _ in range(2)]
    [p.start() for p in ps]
    got = [out.get() for _ in ps]
    [p.join() for p in ps]
    n = sum(g[0] for g in got)
    print(json.dumps({"n": n, "drain": n / (max(g[2] for g in got if g[2]) - min(g[1] for g in got if g[1]))}))
