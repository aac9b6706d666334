"""Words as a terminal, a page or a card shows them: they are data, and must not act on what shows them.

Markup is another matter, and that of the place: rich's Text, a script's textContent and Jinja2's escapes take words as they are.
"""

import re

SHORT = 80
# control characters, surrogates, line and paragraph separators, and what changes the direction of the text around it; but not the
# joiners of Persian and Hindi, which belong to the spelling
UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def plain_text(text: str) -> str:
    """A text on one line, with U+FFFD for each character that could move the cursor or turn the text around it."""
    return UNSHOWN.sub("\ufffd", text)


def short_text(text: str, most: int = SHORT) -> str:
    """The same, at most so many characters long."""
    return plain_text(text if len(text) <= most else text[: most - 1] + "…")
