"""The directive ``{from-code} <what>``: parts of the reference that are read from the code when the docs are built."""

from __future__ import annotations

from typing import Any

import sources
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

TABLES = {
    "settings": sources.settings_table,
    "permissions": sources.permissions_table,
    "verbs": sources.verbs_table,
    "moves": sources.moves_table,
    "endpoints": sources.endpoints_table,
    "jobs-verbs": sources.jobs_verbs_table,
    "exits": sources.exits_table,
}


class FromCode(SphinxDirective):
    """``states`` is the picture, ``help <command> [verb]`` its options, the others are tables."""

    required_arguments = 1
    optional_arguments = 2

    def run(self) -> list[nodes.Node]:
        what = self.arguments[0]
        if what == "states":
            return [nodes.raw("", sources.states_svg(), format="html")]
        if what == "help":
            return [nodes.literal_block("", sources.command_help(*self.arguments[1:]), language="text")]
        return self.parse_text_to_nodes(TABLES[what]())


def setup(app: Any) -> dict[str, Any]:
    app.add_directive("from-code", FromCode)
    return {"parallel_read_safe": True}
