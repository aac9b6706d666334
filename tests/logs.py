"""What commands print on standard error besides their log."""


def besides(err: str) -> str:
    """The lines that are not of the log's JSON."""
    return "".join(line for line in err.splitlines(keepends=True) if not line.startswith('{"time"'))
