"""A page of text as a PDF, without a library."""

from __future__ import annotations

from collections.abc import Sequence


def page(lines: Sequence[str]) -> bytes:
    """An A4 page with these lines in Helvetica."""
    shown = "\n".join(f"({_escaped(line)}) Tj T*" for line in lines)
    text = f"BT /F1 14 Tf 20 TL 60 780 Td\n{shown}\nET".encode("cp1252", "replace")
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R "
        b"/Resources << /Font << /F1 4 0 R >> >> >>",
        font,
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
    ]
    return _file(parts)


def _escaped(line: str) -> str:
    return line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _file(parts: Sequence[bytes]) -> bytes:
    """The objects, numbered from 1, with the table that tells where each begins."""
    body, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(parts) + 1, table)
    return body + head + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(parts) + 1, len(body))
