"""What `jobs doctor` finds, the worst first: all of it on the health page, what may change on the overview."""

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
    """A finding as a page shows it."""

    finding: doctor.Finding
    payload: bool

    @property
    def label(self) -> Any:
        return LABELS[self.finding.level]

    @property
    def found(self) -> str:
        """With what quotes jobs, for those who may see that."""
        return self.finding.found + (self.finding.quote if self.payload else "")


def rows(findings: list[doctor.Finding], *, payload: bool) -> list[Row]:
    """The worst first."""
    return [Row(finding, payload) for finding in sorted(findings, key=lambda one: WORST_FIRST.index(one.level))]


def glance(*, payload: bool) -> list[Row]:
    """What is wrong at this moment."""
    wrong = [finding for finding in doctor.look_at(doctor.AT_A_GLANCE) if finding.level != "ok"]
    return rows(wrong, payload=payload)


class HealthPage:
    """The findings of this moment; whoever may not see jobs is not told how they failed."""

    def __init__(self, *, jobs: bool, payload: bool) -> None:
        self.findings = doctor.examine(leave_out=() if jobs else (doctor.failures,))
        self.payload = payload
        self.at = clock.now()

    @property
    def looked(self) -> SafeString | str:
        return moment(self.at)

    @cached_property
    def rows(self) -> list[Row]:
        return rows(self.findings, payload=self.payload)

    @cached_property
    def _levels(self) -> Counter[str]:
        return Counter(finding.level for finding in self.findings)

    @property
    def problems(self) -> int:
        return self._levels["error"]

    @property
    def warnings(self) -> int:
        return self._levels["warning"]
