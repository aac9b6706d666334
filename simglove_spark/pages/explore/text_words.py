"""The words of a pasted text as a vocabulary spells them, also where the corpus came cut and clean and the text does not."""

import re
from collections.abc import Container, Iterable, Iterator

# Thai, Lao and Khmer, and the scripts of China and Japan: words stand there without blanks between them
UNSPACED = re.compile("[\u0e00-\u0eff\u1780-\u17ff\u2e80-\ua4cf\uf900-\ufaff\U00020000-\U0003ffff]+")
PARTS = re.compile(r"\w+")
LONGEST = 8  # characters of a word in such a script


def words_of(pieces: Iterable[str], known: Container[str]) -> Iterator[str]:
    """Words of a text in order, spelled as they are known, where they are.

    A piece, which is a word as the corpus was cut, is looked up as it is or in lower case; else its runs of letters and digits are.
    What is still unknown and written without blanks is cut into the longest known words from left to right.
    """
    for piece in pieces:
        for part in [piece] if _spelling(piece, known) else PARTS.findall(piece):
            word = _spelling(part, known)
            if word or not UNSPACED.search(part):
                yield word or part
            else:
                yield from _longest(part, known)


def _spelling(word: str, known: Container[str]) -> str | None:
    return next((spelling for spelling in (word, word.lower()) if spelling in known), None)


def _longest(text: str, known: Container[str]) -> Iterator[str]:
    start = 0
    while start < len(text):
        cuts = (text[start : start + length] for length in range(LONGEST, 0, -1))
        word = next((cut for cut in cuts if cut in known), text[start])
        yield word
        start += len(word)
