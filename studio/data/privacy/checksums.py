"""Check digits of cards, accounts and national numbers. All take plain digits or capitals, without separators."""

from __future__ import annotations

VERHOEFF_TIMES = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
VERHOEFF_MOVE = (
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip
"""J. Verhoeff, Error Detecting Decimal Codes (1969): the group's multiplication and the permutations."""

CODICE_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22,
         25, 24, 23),
        strict=True,
    )
)  # fmt: skip
"""What a sign on an odd place is worth: D.M. 23 December 1976, table 2."""


def luhn(digits: str) -> bool:
    """Payment cards (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def mod97(signs: str) -> bool:
    """IBAN (ISO 13616): the first four signs go to the end, letters count from 10."""
    return int("".join(str(int(sign, 36)) for sign in signs[4:] + signs[:4])) % 97 == 1


def verhoeff(digits: str) -> bool:
    """Aadhaar."""
    state = 0
    for place, digit in enumerate(reversed(digits)):
        state = int(VERHOEFF_TIMES[state][int(VERHOEFF_MOVE[place % 8][int(digit)])])
    return state == 0


def weighted(digits: str, weights: tuple[int, ...]) -> int:
    """The sum of digits times weights."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def dni(signs: str) -> bool:
    """Spanish DNI and NIE: the letter follows from the number modulo 23."""
    number = int(signs[:-1].translate(str.maketrans("XYZ", "012")))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23] == signs[-1]


def codice_fiscale(signs: str) -> bool:
    """Italian codice fiscale: the last letter follows from the fifteen signs before it."""
    total = sum(CODICE_ODD[sign] for sign in signs[:15:2])
    total += sum(int(sign) if sign.isdigit() else ord(sign) - 65 for sign in signs[1:15:2])
    return chr(65 + total % 26) == signs[15]


def steuer_id(digits: str) -> bool:
    """German Steuer-ID: ISO 7064 Mod 11,10, and of the first ten digits only one comes twice or three times."""
    first = digits[:10]
    repeated = [first.count(digit) for digit in set(first) if first.count(digit) > 1]
    if digits[0] == "0" or len(repeated) != 1 or repeated[0] > 3:
        return False
    product = 10
    for digit in first:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(digits[10])


def nir(signs: str) -> bool:
    """French NIR: 97 minus the number modulo 97; Corsica's 2A and 2B count as 19 and 18."""
    number = int(signs[:13].replace("2A", "19").replace("2B", "18"))
    return 97 - number % 97 == int(signs[13:])


def cpf(digits: str) -> bool:
    """Brazilian CPF: two digits modulo 11; eleven equal digits are none."""
    if len(set(digits)) == 1:
        return False
    return all(weighted(digits, tuple(range(length + 1, 1, -1))) * 10 % 11 % 10 == int(digits[length]) for length in (9, 10))


def bsn(digits: str) -> bool:
    """Dutch BSN: the sum with weights 9 to 2 and -1 is a multiple of 11."""
    return int(digits) > 0 and weighted(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def pesel(digits: str) -> bool:
    """Polish PESEL: the sum with its weights ends with 0, and it begins with a date (centuries are added to the month)."""
    month, day = int(digits[2:4]) % 20, int(digits[4:6])
    return 1 <= month <= 12 and 1 <= day <= 31 and weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0
