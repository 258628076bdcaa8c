"""What both databases can hold: text without NUL and lone surrogates, and JSON within a size."""

import json
import re

_encode = json.JSONEncoder(allow_nan=False, ensure_ascii=False).encode
# An escaped NUL, and not the six characters that spell one.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def storable(text: str, limit: int) -> str:
    """Text that both databases take, with its middle cut when it is longer than `limit` characters."""
    clean = text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()
    return clean if len(clean) <= limit else f"{clean[: limit // 2]}\n… cut …\n{clean[-limit // 2 :]}"


def json_text(value: object, limit: int) -> str:
    """The value as JSON that both databases take. Raises ValueError, saying why there is none.

    `limit` is in bytes.
    """
    try:
        text = _encode(value)
        size = len(text.encode())
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("a string holds half a surrogate pair, which is no character") from None
    except TypeError as error:
        raise ValueError(str(error)) from None
    if _NUL.search(text):
        raise ValueError("a string holds a NUL character, which no database stores")
    if size > limit:
        raise ValueError(f"it is {size:,} bytes long and the limit is {limit:,}: store the data, and pass its key")
    return text
