"""What flows share with the media rooms: a place for temporary files that should be empty at the end."""

from tests.domains.media.conftest import temporary as temporary
