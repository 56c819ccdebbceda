"""Names of clusters as people tell them apart."""

import unicodedata

_UNSEEN = frozenset({"Cf", "Zs"})
"""Categories of characters that do not tell two names apart: soft hyphens, joiners, spaces."""
_SELECTORS = frozenset("\u034f" + "".join(map(chr, range(0xFE00, 0xFE10))))


def name_key(name: str) -> str:
    """A key that is equal for names that differ in case, spaces and characters nobody sees."""
    letters = unicodedata.normalize("NFKC", name).casefold()
    return "".join(char for char in letters if unicodedata.category(char) not in _UNSEEN and char not in _SELECTORS)
