"""The health page: what `jobs doctor` finds, the worst first."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from .. import clock, doctor
from .display import moment

WORST_FIRST = ("error", "warning", "ok")
LABELS = {"error": gettext_lazy("Problem"), "warning": gettext_lazy("Warning"), "ok": gettext_lazy("OK")}


@dataclass(frozen=True)
class Row:
    """A finding as the page shows it."""

    finding: doctor.Finding

    @property
    def label(self) -> Any:
        return LABELS[self.finding.level]


class HealthPage:
    """The findings of this moment; whoever may not see jobs is not told how they failed."""

    def __init__(self, *, jobs: bool) -> None:
        self.findings = doctor.examine(leave_out=() if jobs else (doctor.failures,))
        self.at = clock.now()

    @property
    def looked(self) -> SafeString | str:
        return moment(self.at)

    @cached_property
    def rows(self) -> list[Row]:
        return [Row(finding) for finding in sorted(self.findings, key=lambda one: WORST_FIRST.index(one.level))]

    @cached_property
    def _levels(self) -> Counter[str]:
        return Counter(finding.level for finding in self.findings)

    @property
    def problems(self) -> int:
        return self._levels["error"]

    @property
    def warnings(self) -> int:
        return self._levels["warning"]
