"""What a job can iterate over so that another run goes on at a position: rows, sequences, files."""

from __future__ import annotations

import codecs
import csv
import io
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Generic, TypeVar

from django.db.models import Model, QuerySet
from django.db.models.query import ModelIterable

from .call import plain
from .exceptions import InvalidJob

T = TypeVar("T")


class Source(Generic[T]):
    """Items in an order that another run finds again. `position` is a JSON value: where the item fetched last ends."""

    position: Any = None
    measure: float | None = None
    """How far it is, where that is no number of items."""
    given: Any = None
    """What the job gave: a file whose wrapper is forgotten would be closed."""

    def begin(self, position: Any) -> None:
        """Go to a position that an earlier run stored; None is the beginning."""
        raise NotImplementedError

    def fetch(self) -> T:
        """The next item; raises StopIteration after the last."""
        raise NotImplementedError

    def total(self) -> int | None:
        raise NotImplementedError


class Rows(Source[Model]):
    """Instances of a queryset by their primary key, so many of them in memory at a time."""

    def __init__(self, queryset: QuerySet[Any], chunk: int) -> None:
        if queryset.query.is_sliced or queryset.query.combinator:
            raise InvalidJob("source", "is a sliced or combined queryset; filter it instead, so that it can be resumed")
        if not issubclass(queryset._iterable_class, ModelIterable):
            raise InvalidJob("source", "is a queryset of values; give one of model instances, with .only() for speed")
        self._queryset = queryset.order_by("pk")
        self._chunk = chunk
        self._waiting: deque[Model] = deque()
        self._last: Any = None

    def begin(self, position: Any) -> None:
        self.position = self._last = position

    def fetch(self) -> Model:
        if not self._waiting:
            left = self._queryset if self._last is None else self._queryset.filter(pk__gt=self._last)
            self._waiting.extend(left[: self._chunk])
            if not self._waiting:
                raise StopIteration
        row = self._waiting.popleft()
        self._last = row.pk
        self.position = plain(row.pk, "pk")
        return row

    def total(self) -> int:
        return self._queryset.count()


class Items(Source[T]):
    """A sequence by its index. Another run must find the same one."""

    def __init__(self, sequence: Sequence[T]) -> None:
        self._sequence = sequence

    def begin(self, position: Any) -> None:
        self.position = position or 0

    def fetch(self) -> T:
        if self.position >= len(self._sequence):
            raise StopIteration
        item: T = self._sequence[self.position]
        self.position += 1
        return item

    def total(self) -> int:
        return len(self._sequence)


class Lines(Source[Any]):
    """Lines of a file by their offset, without their end. The encoding must end lines by the byte 10, as UTF-8 does."""

    def __init__(self, file: str | os.PathLike[str] | BinaryIO, encoding: str) -> None:
        self._given = file
        self._encoding = encoding

    def begin(self, position: Any) -> None:
        if isinstance(self._given, str | os.PathLike):
            self._file: BinaryIO = open(self._given, "rb")  # noqa: SIM115  (closed when the iteration ends, or is gone)
        else:
            self._file = self._given
        self._size = self._file.seek(0, os.SEEK_END)
        start = position or 0
        if start > self._size:
            raise ValueError(f"The file is shorter ({self._size:,} bytes) than what was read of it before ({start:,})")
        self._seek(start)

    def _seek(self, start: int) -> None:
        self.position = self._file.seek(start)
        self.measure = float(start)

    def fetch(self) -> Any:
        line = self._read()
        if not line:
            self._file.close()
            raise StopIteration
        self._moved()
        return line.removesuffix("\n").removesuffix("\r")

    def _moved(self) -> None:
        self.position = self._file.tell()
        self.measure = float(self.position)

    def _read(self) -> str:
        at_start = self._file.tell() == 0
        line = self._file.readline()
        if at_start:
            line = line.removeprefix(codecs.BOM_UTF8)
        return line.decode(self._encoding)

    def total(self) -> int:
        return self._size


class Records(Lines):
    """Records of a CSV file as dictionaries by its first record. `options` are those of `csv.reader`."""

    def __init__(self, file: str | os.PathLike[str] | BinaryIO, encoding: str, options: Mapping[str, Any]) -> None:
        super().__init__(file, encoding)
        self._options = dict(options)

    def _seek(self, start: int) -> None:
        super()._seek(0)
        names = next(csv.reader(self._lines(), **self._options), [])
        if start:
            super()._seek(start)
        else:
            self._moved()
        self._reader = csv.DictReader(self._lines(), names, **self._options)

    def _lines(self) -> Iterator[str]:
        while line := self._read():
            yield line

    def fetch(self) -> dict[str, Any]:
        try:
            record = next(self._reader)
        except StopIteration:
            self._file.close()
            raise
        self._moved()
        return record


def source_of(given: Any, *, chunk: int, csv: bool | Mapping[str, Any], encoding: str) -> Source[Any]:
    """The source for what a job wants to iterate over. Raises InvalidJob naming the parameter."""
    source = _made(given, chunk, csv, encoding)
    source.given = given
    return source


def _made(given: Any, chunk: int, csv: bool | Mapping[str, Any], encoding: str) -> Source[Any]:
    if type(chunk) is not int or chunk < 1:
        raise InvalidJob("chunk", f"is {chunk!r}; give a number of rows from 1")
    file = _as_file(given)
    if csv is not False:
        if file is None:
            raise InvalidJob("csv", "is for files: give a path, or a file that is open")
        return Records(file, encoding, {} if csv is True else csv)
    if file is not None:
        return Lines(file, encoding)
    if isinstance(given, QuerySet):
        return Rows(given, chunk)
    if isinstance(given, Sequence) and not isinstance(given, bytes | bytearray):
        return Items(given)
    raise InvalidJob(
        "source",
        f"is a {type(given).__name__}; give a queryset, a sequence (list, tuple, range), a path, or a file that is "
        "open: a position in anything else would not be found again",
    )


def _as_file(given: Any) -> Any:
    """A path, or an open file as bytes, since only those know their offset while they are read; None for no file."""
    if isinstance(given, str | os.PathLike):
        return given
    if not hasattr(given, "readline"):
        return None
    opened = getattr(given, "file", given)  # what Django's File, or a temporary one, is about
    opened = getattr(opened, "buffer", opened)
    if isinstance(opened, io.TextIOBase) or not opened.seekable():
        raise InvalidJob("source", "is no file that can seek by bytes; save it first, so that it can be resumed")
    return opened
