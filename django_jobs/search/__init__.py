"""Finding jobs: one language for the admin, the REST API, the command line and Python."""

from .asking import Search, compile, find_jobs
from .cutoff import at_most
from .language import quoted, written
from .meanings import EXPLAINED, FIELDS
from .pages import NEWEST, SHORT, Key, Order, Page, Walk, bounded_count, key, page, walk

__all__ = [
    "EXPLAINED",
    "FIELDS",
    "NEWEST",
    "SHORT",
    "Key",
    "Order",
    "Page",
    "Search",
    "Walk",
    "at_most",
    "bounded_count",
    "compile",
    "find_jobs",
    "key",
    "page",
    "quoted",
    "walk",
    "written",
]
