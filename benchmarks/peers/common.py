"""What every system shares: the latency body, Redis/PostgreSQL helpers, the paced enqueue loop."""

import asyncio
import time

import redis

REDIS_PORT = 6390
_r = None


def r():
    global _r
    if _r is None:
        _r = redis.Redis(port=REDIS_PORT)
    return _r


def record_latency(t_enqueue):
    """Body of the latency job: timestamp first, then one RPUSH (so its cost is outside its own sample)."""
    now = time.time()
    r().rpush("peers:lat", repr(now - t_enqueue))


def pg():
    import psycopg

    return psycopg.connect("host=127.0.0.1 dbname=peers user=peers password=peers", autocommit=True)


def paced(n, rate, fn):
    t0 = time.time()
    for i in range(n):
        d = t0 + i / rate - time.time()
        if d > 0:
            time.sleep(d)
        fn(time.time())


async def apaced(n, rate, fn):
    t0 = time.time()
    for i in range(n):
        d = t0 + i / rate - time.time()
        if d > 0:
            await asyncio.sleep(d)
        await fn(time.time())


class Adapter:
    """One per system. A system either counts finished jobs in a PostgreSQL TABLE (WHERE COND, time column TS)
    or overrides done()."""

    TABLE = COND = TS = None
    TRUNCATE = ()  # further PostgreSQL tables emptied between runs
    POLL = 0.05  # seconds between two looks at done(); 0.25 for PostgreSQL counts
    BULK = None  # bulk enqueue: callable(pairs)
    MIGRATE = False

    def __init__(self, variant):
        self.variant = variant

    def setup(self):
        pass

    def enqueue(self, x, y):
        raise NotImplementedError

    def enqueue_lat(self, t):
        raise NotImplementedError

    def enqueue_loop(self, pairs):
        e = self.enqueue
        for x, y in pairs:
            e(x, y)

    def fill(self, pairs):
        (self.BULK or self.enqueue_loop)(pairs)

    def latency_loop(self, n, rate):
        paced(n, rate, self.enqueue_lat)

    def done(self, n, cur):
        return cur.execute(f"SELECT count(*) FROM {self.TABLE} WHERE {self.COND}").fetchone()[0]

    def recorded_span(self, cur):
        """Seconds between first and last completion in the system's own record, when it has timestamps."""
        if not self.TABLE:
            return None
        return float(
            cur.execute(
                f"SELECT coalesce(extract(epoch FROM max({self.TS})-min({self.TS})),0) "
                f"FROM {self.TABLE} WHERE {self.COND}"
            ).fetchone()[0]
        )

    def purge(self, cur):
        r().flushdb()
        for t in (*((self.TABLE,) if self.TABLE else ()), *self.TRUNCATE):
            cur.execute(f"TRUNCATE {t} CASCADE")
        cur.execute("CHECKPOINT")
