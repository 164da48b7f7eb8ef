"""Small pieces that the models share."""

from __future__ import annotations

from typing import Any

from django.db import models, router
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement
from django.db.models.deletion import Collector


class PartialIndex(models.Index):
    """An index over the rows that match `where`; a full one where the database has no partial indexes (MariaDB).

    `unique` lets no two of these rows have the same values; a full index treats rows with a NULL as different.
    """

    def __init__(self, *expressions: Any, where: models.Q, unique: bool = False, **kwargs: Any) -> None:
        super().__init__(*expressions, **kwargs)
        self.where = where
        self.unique = unique

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "where": self.where, **({"unique": True} if self.unique else {})}

    def create_sql(
        self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor, using: str = "", **kwargs: Any
    ) -> Statement:
        partial = schema_editor.connection.features.supports_partial_indexes
        where = self.where if partial else None
        if self.unique:
            constraint = models.UniqueConstraint(fields=self.fields, name=self.name, condition=where)
            statement: Statement = constraint.create_sql(model, schema_editor)  # type: ignore[assignment]
            return statement
        return models.Index(fields=self.fields, name=self.name, condition=where).create_sql(
            model, schema_editor, using, **kwargs
        )


def forget_user(collector: Collector, field: Any, sub_objs: Any, using: str) -> None:
    """`on_delete` of a user reference: the row stays, the reference goes, also when it lives in another database."""
    model = field.model
    alias = router.db_for_write(model)
    if alias == using:
        collector.add_field_update(field, None, sub_objs)
        return
    users = [user.pk for user in collector.data.get(field.remote_field.model, ())]
    model._base_manager.using(alias).filter(**{f"{field.name}__in": users}).update(**{field.name: None})


forget_user.lazy_sub_objs = True  # type: ignore[attr-defined]  # or Django would look for our rows in the users' database
