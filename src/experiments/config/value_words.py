"""What a value was probably meant to be that is not of the type of its key."""

from __future__ import annotations

import re

LOOKALIKES = str.maketrans("−–—“”„‟‘’‚‛，；：＝", "---\"\"\"\"'''',;:=")
"""Signs that editors and keyboards put where the plain ones are meant."""
NUMBER = r"[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"


def plain_signs(text: str) -> str:
    """Return a text with the signs that are meant by those that look like them.

    >>> plain_signs("1e−3"), plain_signs("“[64]”")
    ('1e-3', '"[64]"')
    """
    return text.translate(LOOKALIKES)


def number_in(text: str) -> str | None:
    """Return the number that was probably meant, as it is typed; None where that is open.

    >>> number_in("0,1"), number_in("10%"), number_in("1/4"), number_in("10^-3"), number_in("1O")
    ('0.1', '0.1', '0.25', '0.001', '10')
    >>> number_in("0.1f"), number_in("[0.1]"), number_in("0.1;"), number_in("fast"), number_in("")
    ('0.1', '0.1', '0.1', None, None)
    """
    bare = plain_signs(text).strip(" \"'[](){}").rstrip(".,;:")
    if re.fullmatch(r"[\d.,OoIl+-]*", bare) and re.search(r"\d", bare):
        bare = bare.replace("O", "0").replace("o", "0").replace("I", "1").replace("l", "1")
    if re.fullmatch(r"[+-]?\d+,\d+", bare):
        bare = bare.replace(",", ".")
    if whole := re.fullmatch(rf"({NUMBER}) ?(?:%|percent)", bare):
        return shortest(float(whole[1]) / 100)
    if parts := re.fullmatch(rf"({NUMBER}) ?/ ?({NUMBER})", bare):
        return shortest(float(parts[1]) / float(parts[2])) if float(parts[2]) else None
    if power := re.fullmatch(r"(\d+(?:\.\d+)?)(?:\^|\*\*)\(?([+-]?\d{1,2})\)?", bare):
        return shortest(float(power[1]) ** int(power[2]))
    found = re.match(NUMBER, bare)
    # Behind a number stands at most a unit: 10epochs, and not 1-5.
    return found[0] if found and re.fullmatch(r"[A-Za-z]*", bare[found.end() :]) else None


def shortest(number: float) -> str:
    return f"{number:.6g}"


def whole_in(text: str) -> str | None:
    """Return the whole number that was probably meant; None where that is open.

    >>> whole_in("1e3"), whole_in("10epochs"), whole_in("[5]"), whole_in("1.9"), whole_in("inf")
    ('1000', '10', '5', '1', None)
    """
    number = number_in(text)
    return None if number is None or abs(float(number)) > 1e15 else str(int(float(number)))


def list_in(text: str) -> str | None:
    """Return the list that was probably meant; None where that is open.

    >>> list_in("64"), list_in("(64, 32)"), list_in("64x32"), list_in("[64;32"), list_in("[[64]]")
    ('[64]', '[64,32]', '[64,32]', '[64,32]', '[64]')
    >>> list_in("baseline"), list_in("0.9,0.99"), list_in(""), list_in("null")
    ('[baseline]', '[0.9,0.99]', None, None)
    """
    bare = plain_signs(text).strip(" \"'[](){}").rstrip(".,; ")
    if not bare or bare.casefold() in ("null", "none", "true", "false"):
        return None
    between = r"[ ,;]+" if re.search(r"[ ,;]", bare) else r"[x×*-]"
    parts = re.split(between, bare)
    if not all(re.fullmatch(NUMBER, part) for part in parts):
        parts = re.split(r"[ ,;]+", bare)
    are_words = all(re.fullmatch(r"[\w.%+-]+", part) for part in parts)
    return f"[{','.join(parts)}]" if are_words else None
