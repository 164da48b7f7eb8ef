"""The form of "Enqueue again with changes": filled with the call, refused by the same words as in code."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import queues
from ..again import enqueue_again
from ..exceptions import DuplicateJob, EnqueueCancelled, InvalidJob
from ..masking import Mask
from ..models import Job
from ..registry import registry

LONGEST = 10 * 365 * 86400
"""Most seconds of a delay."""
FIELDS = {"run_after": "delay"}


class Json(forms.JSONField):
    """JSON. What somebody typed stays as it is."""

    def bound_data(self, data: Any, initial: Any) -> Any:
        return data

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str | None) else super().prepare_value(value)

    def to_python(self, value: Any) -> Any:
        """Django lets through what Python raises for numbers of thousands of digits, and for as many brackets."""
        try:
            return super().to_python(value)
        except (ValueError, RecursionError):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from None


class Arguments(Json):
    """JSON of one kind, written over several lines."""

    widget = AdminTextareaWidget

    def __init__(self, kind: type[Any], message: Any, **options: Any) -> None:
        super().__init__(required=False, **options)
        self._kind = kind
        self._message = message

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str | None) else json.dumps(value, indent=2, ensure_ascii=False)

    def clean(self, value: Any) -> Any:
        found = super().clean(value)
        if found is None:
            return self._kind()
        if not isinstance(found, self._kind):
            raise forms.ValidationError(self._message)
        return found


class AgainForm(forms.Form):
    """The call of a job, to be changed. Who may not see its arguments enqueues it with the same ones."""

    args = Arguments(
        list,
        gettext_lazy('Give a JSON list, as in [1, "two"].'),
        label=gettext_lazy("Arguments"),
        help_text=gettext_lazy("A JSON list."),
    )
    kwargs = Arguments(
        dict,
        gettext_lazy('Give a JSON object, as in {"name": 1}.'),
        label=gettext_lazy("Keyword arguments"),
        help_text=gettext_lazy("A JSON object: arguments by name."),
    )
    queue = forms.ChoiceField(label=gettext_lazy("Queue"))
    priority = forms.IntegerField(
        label=gettext_lazy("Priority"),
        min_value=-100,
        max_value=100,
        help_text=gettext_lazy("From -100 to 100, higher first."),
    )
    delay = forms.FloatField(
        label=gettext_lazy("Delay"),
        min_value=0,
        max_value=LONGEST,
        initial=0,
        help_text=gettext_lazy("Seconds until it is due; 0 for at once."),
    )

    def __init__(self, job: Job, data: Any = None, *, payload: bool) -> None:
        self.job = job
        self.mask = Mask(job)
        initial = {"args": self.mask.args, "kwargs": self.mask.kwargs, "queue": job.queue, "priority": job.priority}
        super().__init__(data, initial=initial)
        names = dict.fromkeys([*queues.names(), job.queue])
        field = self.fields["queue"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(name, name) for name in names]
        if not payload:
            del self.fields["args"], self.fields["kwargs"]

    def save(self, by: Any) -> Job | None:
        """The new job; None where the door refused it, which the fields then say."""
        try:
            args, kwargs = self._arguments()
            given = {name: self.cleaned_data[name] for name in ("queue", "priority", "delay")}
            return enqueue_again(self.job, args, kwargs, **given, by=by)
        except InvalidJob as error:
            self.add_error(self._field(error), f"{error.field}: {error.message}")
        except DuplicateJob as error:
            holder = _("Job #%(id)s has its unique key.") % {"id": error.job.pk} if error.job else str(error)
            self.add_error(None, holder)
        except EnqueueCancelled as error:
            self.add_error(None, str(error))
        return None

    def _arguments(self) -> tuple[list[Any], dict[str, Any]]:
        if "args" not in self.fields:
            return self.job.args, self.job.kwargs
        return self.mask.restored(self.cleaned_data["args"], self.cleaned_data["kwargs"])

    def _field(self, error: InvalidJob) -> str | None:
        """The field at which an error stands; one of an argument by name belongs to the keyword arguments."""
        name = error.field.partition("[")[0].partition(".")[0]
        if error.field == "args":
            name = "args" if self._are_args_wrong() else "kwargs"
        elif name in self.cleaned_data.get("kwargs", {}):
            name = "kwargs"
        name = FIELDS.get(name, name)
        return name if name in self.fields else None

    def _are_args_wrong(self) -> bool:
        """Whether the positional arguments alone do not fit the function, or are all that there is."""
        known = registry.find(self.job.job_type)
        args, kwargs = self.cleaned_data.get("args", []), self.cleaned_data.get("kwargs", {})
        if known is None or not kwargs:
            return True
        try:
            known.signature.bind_partial(*args)
        except TypeError:
            return True
        return False
