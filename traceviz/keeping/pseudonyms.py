"""Tables of what stands for what in an anonymised file: words, ids, addresses, numbers.

Words are numbered as they come, by kind: `service01`, `ns01`, `path01`. One table holds them all, so that a word has
one pseudonym wherever it stands, of the kind of the place where it was met first. No pseudonym is the beginning of
another one (after `service99` comes `servicea100`), because traceviz knows the pods of a service by how their names
begin; and none ends like a name that Kubernetes generated.

Ids are keyed hashes. With a key that is thrown away they cannot be looked up, and nobody who knows an id can find it.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from collections import defaultdict

_GENERATED_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_LONG = 64


class Pseudonyms:
    """The tables of one file. Without a `key` of 16 to 64 bytes a new one is drawn."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = secrets.token_bytes(32) if key is None else key
        self._words: dict[str | bytes, str] = {}
        self._made: dict[str, str] = {}
        self._taken: set[str] = set()
        self._count: dict[str, int] = defaultdict(int)
        self._addresses: dict[str, str] = {}

    def known(self, word: str) -> str | None:
        """The pseudonym of a word that has one."""
        return self._words.get(_entry(word))

    def word(self, word: str, kind: str) -> str:
        """`reviews` ▸ `service01`. Any text may be a word; a long one is remembered by its hash."""
        entry = _entry(word)
        found = self._words.get(entry)
        if found is None:
            self._count[kind] += 1
            found = self._words[entry] = f"{kind}{_numbered(self._count[kind])}"
        return found

    def word_below(self, word: str, above: str, rest: str) -> str:
        """`reviews-blue`, the `blue` of `reviews` ▸ `service01-part01`: one that begins with another one."""
        entry = _entry(word)
        found = self._words.get(entry)
        if found is None:
            found = self._words[entry] = f"{above}-{self.word(rest, 'part')}"
        return found

    def generated(self, text: str) -> str:
        """A part of a name that Kubernetes generated, `x2x9z` ▸ another one as long."""
        found = self._made.get(text)
        attempt = 0
        while found is None:
            digest = self._hash(f"{attempt}{text}".encode(), 32)
            candidate = "".join(_GENERATED_LETTERS[byte % len(_GENERATED_LETTERS)] for byte in digest[: len(text)])
            if candidate not in self._taken:
                self._taken.add(candidate)
                found = self._made[text] = candidate
            attempt += 1
        return found

    def number(self, digits: str) -> str:
        """Digits ▸ as many others. The first one is not 0."""
        digest = self._hash(digits.encode(), 64)
        other = str(int.from_bytes(digest) % 10 ** max(len(digits), 1)).zfill(len(digits))
        return other if other[:1] != "0" else "1" + other[1:]

    def bits64(self, number: int) -> int:
        """64 bits of an id ▸ 64 others, never 0; 0 stays."""
        return number and (int.from_bytes(self._hash(number.to_bytes(8), 8)) or 1)

    def bits128(self, number: int) -> int:
        """128 bits of an id. The lower 64 change as if they stood alone: programs cut ids, and it stays one trace."""
        low = self.bits64(number & (1 << 64) - 1)
        if not number >> 64:
            return low
        return (int.from_bytes(self._hash(number.to_bytes(16), 8)) or 1) << 64 | low

    def hexadecimal(self, text: str, length: int) -> str:
        """Any text ▸ so many hex digits, up to 128."""
        return self._hash(text.encode("utf-8", "surrogatepass"), 64).hex()[:length]

    def address(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
        """An IP ▸ one of the ranges that are kept for tests and documents. Loopback and "any" stay."""
        text = str(address)
        if address.is_loopback or address.is_unspecified:
            return text
        found = self._addresses.get(text)
        if found is None:
            number = len(self._addresses) + 1
            first = _FIRST_V6 if address.version == 6 else _FIRST_V4 if number < 1 << 17 else _MORE_V4
            found = self._addresses[text] = str(ipaddress.ip_address(first + number))
        return found

    def _hash(self, data: bytes, size: int) -> bytes:
        return hashlib.blake2b(data, key=self._key, digest_size=size).digest()


#: 198.18.0.0/15 is for benchmarks, 240.0.0.0/4 for nothing yet, 2001:db8::/32 for documents: nobody's addresses.
_FIRST_V4 = int(ipaddress.ip_address("198.18.0.0"))
_MORE_V4 = int(ipaddress.ip_address("240.0.0.0"))
_FIRST_V6 = int(ipaddress.ip_address("2001:db8::"))


def _entry(word: str) -> str | bytes:
    if len(word) <= _LONG:
        return word
    return hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _numbered(number: int) -> str:
    """1 ▸ `01`, 99 ▸ `99`, 100 ▸ `a100`, 1000 ▸ `b1000`: no one begins like another."""
    digits = f"{number:02}"
    return digits if len(digits) == 2 else chr(ord("a") + min(len(digits) - 3, 25)) + digits
