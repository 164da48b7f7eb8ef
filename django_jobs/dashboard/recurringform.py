"""The form of a recurring job: checked by the same door as code, with the next runs shown while it is filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime, AdminTextInputWidget
from django.utils.text import format_lazy
from django.utils.timezone import localtime
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from .. import clock, monitoring, queues, schedules
from ..exceptions import InvalidJob
from ..masking import Mask
from ..models import RecurringJob
from ..registry import registry
from ..terms import TERMS, checked, read_cron
from ..timetable import Timetable
from .againform import Json

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[RecurringJob]
else:
    ModelForm = forms.ModelForm

SHOWN = 5
"""Runs of the preview."""


class Suggesting(AdminTextInputWidget):
    """A text field with suggestions."""

    template_name = "admin/django_jobs/includes/suggesting.html"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["widget"]["suggestions"] = sorted(available_timezones())
        return context


class Moment(AdminSplitDateTime):
    """A date and a time, each with a name of its own for who does not see where they stand."""

    def __init__(self, label: Any) -> None:
        super().__init__()
        for widget, part in zip(self.widgets, (_("date"), _("time")), strict=True):
            widget.attrs["aria-label"] = format_lazy("{}, {}", label, part)


class RecurringForm(ModelForm):
    """What an operator may say of a recurring job."""

    job_type = forms.ChoiceField(label=_("Job type"))
    queue = forms.ChoiceField(label=_("Queue"), required=False)
    args = Json(label=_("Arguments"), required=False, initial=list, help_text=_("A JSON list."))
    kwargs = Json(
        label=_("Keyword arguments"), required=False, initial=dict, help_text=_("A JSON object: arguments by name.")
    )
    starts_at = forms.SplitDateTimeField(label=_("Not before"), required=False, widget=Moment(_("Not before")))
    ends_at = forms.SplitDateTimeField(label=_("Not after"), required=False, widget=Moment(_("Not after")))

    class Meta:
        model = RecurringJob
        fields = ["id", *(name for name in TERMS if name != "expires")]
        widgets = {"time_zone": Suggesting(), "cron": AdminTextInputWidget(attrs={"class": "dj-cron vTextField"})}
        help_texts = {
            "cron": _("Minute, hour, day of month, month, day of week; six fields begin with seconds; or @daily."),
            "match_both_days": _(
                "With a day of month and a day of week, run only where both fit, not where either does."
            ),
            "jitter": _("Seconds by which each run is put off at random, at most."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        now = self.instance
        if not now._state.adding:
            self.initial.update(args=Mask(now).args, kwargs=Mask(now).kwargs)
        known = monitoring.published_types().union(
            registry.names(), registry.elsewhere, {now.job_type} if now.job_type else set()
        )
        if "job_type" in self.fields:
            self._choose("job_type", [("", "---------"), *((name, name) for name in sorted(known))])
            names = dict.fromkeys([*queues.names(), *([now.queue] if now.queue else [])])
            self._choose("queue", [("", _("That of the job type")), *((name, name) for name in names)])

    def _choose(self, name: str, choices: list[tuple[str, Any]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def clean(self) -> dict[str, Any]:
        """What the fields say together, refused by the same words as in code."""
        data = super().clean() or {}
        if self.errors:
            return data
        id = data.get("id") or self.instance.pk
        if self.instance._state.adding and schedules.rows().filter(pk=id).exists():
            self.add_error("id", _("There is a recurring job of this id."))
            return data
        try:
            self._unmask(data)
            checked(id, data["job_type"], self.terms())
        except InvalidJob as error:
            field = error.field.partition("[")[0].partition(".")[0]
            self.add_error(field if field in self.fields else None, error.message)
        return data

    def _unmask(self, data: dict[str, Any]) -> None:
        """Put what is stored where the mask was left. Raises InvalidJob where it stands elsewhere."""
        if self.instance._state.adding:
            return
        mask = Mask(self.instance)
        given = data.get("args", mask.args), data.get("kwargs", mask.kwargs)
        args, kwargs = mask.restored(*given, data["job_type"])
        if "args" in data:
            data.update(args=args, kwargs=kwargs)

    def terms(self) -> dict[str, Any]:
        """The terms that the fields give; those that are not shown stay as they are."""
        given = {name: self.cleaned_data[name] for name in TERMS if name in self.cleaned_data}
        kept = {} if self.instance._state.adding else {name: getattr(self.instance, name) for name in TERMS}
        if given.get("job_type") == kept.get("job_type"):
            given.setdefault("expires", kept.get("expires"))
        else:
            kept.pop("expires", None)
        terms = {**kept, **given, "queue": given.get("queue") or None}
        terms.pop("job_type")
        return terms

    def validate_unique(self) -> None:
        """`clean` looks itself: only it knows in which database."""


class PreviewForm(forms.Form):
    """What the preview asks: the fields of the form that make a timetable."""

    cron = forms.CharField(required=False, max_length=500)
    time_zone = forms.CharField(required=False, max_length=64)
    match_both_days = forms.BooleanField(required=False)
    starts_at = forms.SplitDateTimeField(required=False)
    ends_at = forms.SplitDateTimeField(required=False)


def preview(data: Any) -> dict[str, Any]:
    """The expression in words with its next runs, or the field that is wrong and why; as JSON."""
    form = PreviewForm(data)
    if not form.is_valid():
        field, messages = next(iter(form.errors.items()))
        return {"field": field, "error": str(messages[0])}
    said = form.cleaned_data
    try:
        cron = read_cron(said["cron"], said["time_zone"], match_both_days=said["match_both_days"])
    except InvalidJob as error:
        return {"field": error.field, "error": error.message}
    table = Timetable(cron.expression, cron.time_zone, cron.match_both_days, said["starts_at"], said["ends_at"])
    runs = table.runs(clock.now(), SHOWN)
    there = [f"{at.astimezone(table.zone):%a %Y-%m-%d %H:%M:%S %Z}" for at in runs]
    here = [f"{localtime(at):%Y-%m-%d %H:%M:%S %Z}" for at in runs]
    words = cron.describe(get_language() or "en")
    return {"words": words, "runs": [list(pair) for pair in zip(there, here, strict=True)]}
