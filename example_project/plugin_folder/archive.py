"""A plug-in of one file: packs what has lain in a folder for some days into an archive."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.utils import timezone

from django_jobs import JobContext, Plugin, job


@dataclass(frozen=True)
class Config:
    """Of this plug-in alone: `archive.toml` beside this file, and what the host sets over it."""

    folder: str
    pattern: str
    days: float


plugin = Plugin(Config, needs=["files"])


@job("EventTypeC", takes_context=True)
def archive_old_files(ctx: JobContext) -> int:
    """Pack the old files of the folder, and return how many these were."""
    folder = Path(plugin.shared["files"], plugin.config.folder)
    before = timezone.now() - timedelta(days=plugin.config.days)
    old = [path for path in sorted(folder.glob(plugin.config.pattern)) if _changed(path) < before]
    if old:
        name = folder / f"{before:%Y-%m-%d}.zip"
        with zipfile.ZipFile(name, "a", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
            for path in ctx.track(old, name="files"):
                archive.write(path, path.name)
                ctx.log(f"{path.name} is packed")
        for path in old:
            path.unlink()
    return len(old)


def _changed(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
