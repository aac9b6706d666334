"""Words as they are shown: they are data, and must not act on what shows them."""


def plain_text(text: str) -> str:
    """A word without what could move a terminal's cursor; show it as rich's Text, which has no markup."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
