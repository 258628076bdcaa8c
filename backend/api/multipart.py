"""The one file of a request, as it arrives: from a multipart form or as the bare body, never held in memory."""

from collections.abc import AsyncGenerator, AsyncIterator

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from backend.errors import InvalidInput, UnsupportedMedia

FIELD_LIMIT = 20
FIELD_BYTES = 16 * 1024
BARE = ("audio/", "video/", "application/octet-stream", "application/ogg")


class IncomingFile:
    """One file on its way in. `name` is what the sender called it, without any path; `fields` came before it."""

    def __init__(self, name: str | None, fields: dict[str, str], chunks: AsyncGenerator[bytes, None]) -> None:
        self.name = name
        self.fields = fields
        self.chunks = chunks


async def incoming_file(request: Request) -> IncomingFile:
    """Read up to the first byte of the file: in a form, the fields stand before it. The query's fields count too.

    Raises InvalidInput when the body is broken or has no file, and UnsupportedMedia when it is of another type. The
    chunks raise InvalidInput when the form is cut short, has a second file, or has a field behind the file.
    """
    fields = dict(request.query_params)
    name = _bare_name(fields.pop("filename", ""))
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        shown = kind.decode("latin-1")
        if shown and not shown.startswith(BARE):
            raise UnsupportedMedia(
                f"send a multipart form, or the bare file with an audio type; not {shown}", field="content-type"
            )
        return IncomingFile(name, fields, request.stream())
    form = _Form(options.get(b"boundary", b""))
    body = request.stream()
    begun: list[bytes] = []
    while not form.files and (chunk := await anext(body, None)) is not None:
        begun += form.feed(chunk)
    if not form.files:
        form.finish()
    return IncomingFile(form.file_name or name, fields | form.fields, _rest(form, begun, body))


async def _rest(form: "_Form", begun: list[bytes], body: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    for piece in begun:
        yield piece
    async for chunk in body:
        for piece in form.feed(chunk):
            yield piece
    form.finish()


class _Form:
    """A multipart body that is fed piece by piece and gives back the pieces of its file."""

    def __init__(self, boundary: bytes) -> None:
        self.fields: dict[str, str] = {}
        self.file_name: str | None = None
        self.files = 0
        self._complete = False
        self._pieces: list[bytes] = []
        self._header, self._value = bytearray(), bytearray()
        self._disposition = b""
        self._field: str | None = None  # the plain field being read; None inside the file
        self._data = bytearray()
        if not boundary:
            raise InvalidInput("a multipart body needs a boundary in its Content-Type", field="content-type")
        callbacks = {
            "on_part_begin": self._part_begins,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header_ends,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._part_data,
            "on_part_end": self._part_ends,
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]
        except FormParserError as error:
            raise InvalidInput(f"the multipart body cannot be read: {error}", field="content-type") from None

    def feed(self, chunk: bytes) -> list[bytes]:
        """Read on. Gives the pieces of the file that `chunk` held."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise InvalidInput(f"the multipart body cannot be read: {error}", field="body") from None
        pieces, self._pieces = self._pieces, []
        return pieces

    def finish(self) -> None:
        """Raise InvalidInput unless the form is whole and has its file."""
        if not self._complete:
            raise InvalidInput("the upload ended before the form did: send it again", field="file")
        if not self.files:
            raise InvalidInput("the form has no file: send it in a field with a filename", field="file")

    def _part_begins(self) -> None:
        self._header.clear()
        self._value.clear()
        self._data.clear()
        self._disposition, self._field = b"", None

    def _header_ends(self) -> None:
        if bytes(self._header).lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"filename" in options:
            self.files += 1
            if self.files > 1:
                raise InvalidInput("one upload takes one file", field="file")
            self.file_name = _bare_name(options[b"filename"].decode("utf-8", "replace"))
            return
        if len(self.fields) >= FIELD_LIMIT:
            raise InvalidInput(f"a form may have {FIELD_LIMIT} fields", field="body")
        self._field = options.get(b"name", b"").decode("utf-8", "replace")
        if self.files:
            # The file streams through; what stands behind it would be known too late.
            raise InvalidInput(f"put {self._field!r} before the file", field=self._field)

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            self._pieces.append(data[start:end])
            return
        self._data.extend(data[start:end])
        if len(self._data) > FIELD_BYTES:
            raise InvalidInput(f"a field may have {FIELD_BYTES:,} bytes", field=self._field)

    def _part_ends(self) -> None:
        if self._field is not None:
            self.fields[self._field] = self._data.decode("utf-8", "replace")

    def _end(self) -> None:
        self._complete = True


def _bare_name(sent: str) -> str | None:
    """The last part of whatever path a sender put before it."""
    return sent.replace("\\", "/").rpartition("/")[2].replace("\x00", "").strip()[:500] or None
