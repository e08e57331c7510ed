"""What stems may be called, wherever a network comes from."""

from __future__ import annotations

import pytest

from streamsep.config.network_description import MOST_SOURCES
from streamsep.errors import ConfigError
from streamsep.models.stem_names import check_stem_names


def test_words_of_any_language_are_names() -> None:
    check_stem_names(["drums", "lead vocals", "étude", "ドラム", "x" * 60])
    check_stem_names([f"stem {number}" for number in range(MOST_SOURCES)])


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("../drums", id="a path"),
        pytest.param("drums, bass", id="a list"),
        pytest.param("two\nlines", id="two lines"),
        pytest.param("the\u3000rest", id="a space that is none"),
        pytest.param("\u202edrums", id="text that turns around"),
        pytest.param("x" * 61, id="too long"),
        pytest.param("", id="nothing"),
    ],
)
def test_what_cannot_be_a_file_or_a_word_on_the_wire_is_no_name(name: str) -> None:
    with pytest.raises(ConfigError, match=r"a letter or digit first, and no .* comma"):
        check_stem_names(["vocals", name])


def test_there_are_only_so_many_stems_each_called_something_else() -> None:
    with pytest.raises(ConfigError, match="from one source to 32, got 33"):
        check_stem_names([f"stem {number}" for number in range(MOST_SOURCES + 1)])
    with pytest.raises(ConfigError, match="'vocals' comes twice"):
        check_stem_names(["vocals", "vocals"])
