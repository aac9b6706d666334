"""Words as a page shows them: short, on one line, and without what could turn the text around it."""

import re

MOST_CHARACTERS = 80
# control characters, line and paragraph separators, and those that change the direction of the text that follows
UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def shown(text: str, most: int = MOST_CHARACTERS) -> str:
    """A text of at most ``most`` characters, one for each that could do harm; markup is the page's matter, not ours."""
    short = text if len(text) <= most else text[: most - 1] + "…"
    return UNSHOWN.sub("\ufffd", short)
