"""A health probe: a small HTTP answer for load balancers and Kubernetes."""

from __future__ import annotations

import json
import mmap
import os
import struct
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ..conf import settings


class Pulse:
    """Memory that the supervisor shares with the probe: when it last reached the database, and its live workers."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 16)

    def beat(self, workers: int) -> None:
        struct.pack_into("dq", self._memory, 0, time.monotonic(), workers)

    def read(self) -> tuple[float, int]:
        """Seconds since the last beat, and the number of live workers."""
        beat, workers = struct.unpack_from("dq", self._memory, 0)
        return time.monotonic() - beat, workers


def serve(pulse: Pulse, address: tuple[str, int], parent: int) -> None:
    """Answer 200 while the supervisor reaches the database and has workers, 503 otherwise; end with the supervisor."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            age, workers = pulse.read()
            healthy = age < settings.SERVER_TIMEOUT and workers > 0
            body = json.dumps({"healthy": healthy, "heartbeat_age": round(age, 1), "workers": workers}).encode()
            self.send_response(200 if healthy else 503)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def service_actions(self) -> None:
            if os.getppid() != parent:
                os._exit(0)

    Server(address, Handler).serve_forever()
