"""What a job says while it runs: lines, progress bars, metadata. Kept in memory, and written in sets."""

from .bars import ProgressBar
from .metadata import MetadataDict
from .outbox import outbox
from .record import COLORS, LEVELS, Console

__all__ = ["COLORS", "LEVELS", "Console", "MetadataDict", "ProgressBar", "outbox"]
