"""Messages name fields and arguments in one way, and are shown in the words of their readers.

A message has the Python name of a field of a recipe, or of an argument, in backticks, and a value
with it where the cure depends on the value: "`size` must be at least 64.", "`init='image'` is set,
but `init_image` is missing. Choose `init_image`, or set `init='noise'`." Python shows it as it is.
The terminal and the window replace the names by options and by labels of controls.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_NAMED = re.compile(r"([Ss]et )?`([a-z]\w*)( \d+)?(?:='?([^`']*)'?)?`( is set)?")


def in_words(
    message: str,
    word: Callable[[str], str],
    is_set: Callable[[str, str], str],
    cure: Callable[[str, str], str],
) -> str:
    """Return a message in other words.

    `word` returns that of a name, `is_set` those of "`name='value'` is set", and `cure` those of
    "Set `name='value'`" at the beginning of a sentence.
    """

    def replaced(found: re.Match[str]) -> str:
        verb, name, number, value, state = found.groups(default="")
        if found[4] is None:
            return f"{verb}{word(name)}{number}{state}"
        if verb:
            sentence = cure(name, value)
            return (sentence if verb[0] == "S" else sentence[0].lower() + sentence[1:]) + state
        return is_set(name, value) if state else f"{word(name)} {value}"

    return _NAMED.sub(replaced, message)
