"""No name of an object can leave its bucket, whoever gave the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import InvalidInput
from backend.storage import Bucket, ObjectKey, hls_key, hls_prefix, master_key, original_key, owner_of, waveform_key

HOSTILE = [
    "",
    ".",
    "..",
    "../secret",
    "a/../../b",
    "/etc/passwd",
    "a//b",
    "a/",
    "a/./b",
    ".hidden",
    "a\x00b",
    "a\nb",
    "a\x7fb",
    "a b",
    "a\\b",
    "..\\b",
    "a%2e%2e/b",
    "a?b",
    "a#1",
    "a'b",
    'a"b',
    "a;b",
    "$(a)",
    "ü",
    "\u202ea",
    "\ud800",
    "-rf",
    "a\n",
]


@pytest.mark.parametrize("path", HOSTILE)
def test_hostile_paths_are_refused(path: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        ObjectKey(Bucket.PRIVATE, path)
    assert refused.value.field == "path"


@pytest.mark.parametrize("part", [*HOSTILE, "a/b"])
def test_hostile_parts_are_refused_by_every_constructor(part: str) -> None:
    for make in (
        lambda: original_key(part, ".wav"),
        lambda: original_key("v1", f".{part}"),
        lambda: hls_key(part, "hls_opus", "init.mp4"),
        lambda: hls_key("v1", part, "init.mp4"),
        lambda: hls_key("v1", "hls_opus", part),
        lambda: hls_prefix("v1", part),
        lambda: master_key(part),
        lambda: waveform_key(part, ".json"),
        lambda: waveform_key("v1", f".{part}"),
    ):
        with pytest.raises(InvalidInput):
            make()


@given(st.text(max_size=60))
def test_whatever_is_accepted_stays_inside(path: str) -> None:
    try:
        key = ObjectKey(Bucket.PRIVATE, path)
    except InvalidInput:
        return
    assert all(part and not part.startswith(".") for part in key.path.split("/"))
    assert key.path.isascii()
    assert key.path.isprintable()


def test_keys_are_where_the_platform_looks_for_them() -> None:
    assert str(original_key("v1", ".flac")) == "private/originals/v1.flac"
    assert str(hls_key("v1", "hls_opus", "segment_000.m4s")) == "public/v1/hls_opus/segment_000.m4s"
    assert hls_prefix("v1", "hls_opus") == "v1/hls_opus/"
    assert str(master_key("v1")) == "public/v1/master.m3u8"
    assert str(waveform_key("v1", ".json")) == "public/v1/waveform.json"


def test_a_bucket_comes_from_text_and_is_one_of_two() -> None:
    assert ObjectKey("public", "a").bucket is Bucket.PUBLIC  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="buckets are private and public"):
        ObjectKey("other", "a")  # type: ignore[arg-type]


def test_a_path_has_a_longest_length() -> None:
    assert len(ObjectKey(Bucket.PUBLIC, "a" * 500).path) == 500
    with pytest.raises(InvalidInput, match="500"):
        ObjectKey(Bucket.PUBLIC, "a" * 501)


@pytest.mark.parametrize(
    ("path", "suffix", "content_type"),
    [
        ("v1/playlist.m3u8", ".m3u8", "application/vnd.apple.mpegurl"),
        ("v1/a.FLAC", ".flac", "audio/flac"),
        ("v1.d/page", "", "application/octet-stream"),
        ("v1/page.html", ".html", "application/octet-stream"),  # never served as a page
    ],
)
def test_the_type_is_what_the_name_says(path: str, suffix: str, content_type: str) -> None:
    key = ObjectKey(Bucket.PUBLIC, path)
    assert (key.suffix, key.content_type) == (suffix, content_type)


def test_a_suffix_carries_its_dot() -> None:
    with pytest.raises(InvalidInput, match="dot"):
        original_key("v1", "wav")


@pytest.mark.parametrize(
    "path", ["{id}/hls_opus/init.mp4", "originals/{id}.flac", "exports/{id}/tracks.zip", "{id}/waveform.json", "{id}"]
)
def test_an_object_names_what_it_belongs_to(path: str) -> None:
    version_id = "0192a6b1-7b02-7a4f-8d20-6c7b8a9e1f44"
    assert owner_of(ObjectKey(Bucket.PUBLIC, path.format(id=version_id))) == version_id


@pytest.mark.parametrize("path", ["checks/00ff", "a/0192a6b1-7b02/b", "x0192a6b1-7b02-7a4f-8d20-6c7b8a9e1f44/y"])
def test_what_we_did_not_name_belongs_to_nothing(path: str) -> None:
    assert owner_of(ObjectKey(Bucket.PUBLIC, path)) is None
