"""Plug-ins: job types from packages and folders that the host does not know by name, found at start.

`contract` is what a plug-in writes, `configuring` makes its configuration, `finding` looks for plug-ins, `host` takes
them in. One that is broken is told of, and stops no other.
"""

from .contract import Plugin
from .finding import GROUP
from .host import Problem, host

__all__ = ["GROUP", "Plugin", "Problem", "host"]
