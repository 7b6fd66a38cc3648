# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reading the text on a guest's screen from a picture of it.

The picture is a PPM as QEMU's screendump writes it: in VGA text mode 720 by 400 with cells of 9 by
16 pixels, else a frame buffer on which consoles draw cells of 8 by 16. Both use the font of the VGA
BIOS, which QEMU's own vgabios brings along, or Linux' VGA8x16, which is nearly the same.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby, pairwise
from pathlib import Path

_BIOS_FILES = tuple(
    Path(folder, "vgabios-stdvga.bin")
    for folder in ("/usr/share/seabios", "/usr/share/qemu", "/usr/share/seavgabios")
)
_HEIGHT = 16
_WIDTH = 8
_TEXT_MODE = (720, 400)
_TEXT_COLUMNS = 80
TEXT_MEMORY = (0xB8000, 0x8000)  # address, size
_TEXT_MODE_WIDTH = 9
_LETTER_A = bytes.fromhex("000010386cc6c6fec6c6c6c600000000")
#: Where Linux' VGA8x16 differs: VGA BIOSes hold the forms made for cells of nine pixels.
_LINUX_LETTERS = {
    "0": "0000386cc6c6d6d6c6c66c3800000000",
    "M": "0000c6eefefed6c6c6c6c6c600000000",
    "T": "00007e7e5a1818181818183c00000000",
    "V": "0000c6c6c6c6c6c6c66c381000000000",
    "W": "0000c6c6c6c6d6d6d6feee6c00000000",
    "X": "0000c6c66c7c38387c6cc6c600000000",
    "Y": "0000666666663c181818183c00000000",
    "Z": "0000fec6860c183060c2c6fe00000000",
    "`": "0030180c000000000000000000000000",
    "f": "00001c36323078303030307800000000",
    "m": "0000000000ecfed6d6d6d6c600000000",
    "v": "0000000000c6c6c6c6c66c3800000000",
    "w": "0000000000c6c6d6d6d6fe6c00000000",
    "x": "0000000000c66c3838386cc600000000",
    "|": "00001818181818181818181800000000",
    "~": "0076dc00000000000000000000000000",
}
_CURSOR = 16  # pixels in which a cell may differ: an underline of two rows
_DOT = 12  # pixels of a dot at most
_UNKNOWN = "\ufffd"
_READABLE = 0.8  # share of the cells that are not blank which must be letters
_FEW_COLOURS = 16  # as many as a text console has

Font = Mapping[int, str]  # a glyph's pixels as a number, one byte each


@dataclass(frozen=True, slots=True)
class Screen:
    """What a picture shows."""

    lines: tuple[str, ...] = ()
    graphical: bool = False  # more colours than a text console has
    text_mode: bool = False  # VGA's own, whose text is in memory at TEXT_MEMORY
    prompt: bool = False  # the text cannot be read, but ends in the shape of a login prompt


@cache
def font() -> Font | None:
    """Return the VGA font of 8 by 16; None where no VGA BIOS is installed."""
    for path in _BIOS_FILES:
        if path.is_file() and (found := _font(path.read_bytes())) is not None:
            return found
    return None


def _font(bios: bytes) -> Font | None:
    start = bios.find(_LETTER_A) - ord("A") * _HEIGHT
    if start < 0:
        return None
    glyphs = {
        chr(code): bios[start + code * _HEIGHT : start + (code + 1) * _HEIGHT]
        for code in range(ord(" "), 0x7F)
    }
    linux = {letter: bytes.fromhex(rows) for letter, rows in _LINUX_LETTERS.items()}
    pairs = (*glyphs.items(), *linux.items())
    return {_pixels(rows): letter for letter, rows in pairs}


def _pixels(rows: bytes) -> int:
    """Return a glyph of one bit for each pixel as one of a byte for each."""
    bits = "".join(f"{row:08b}" for row in rows)
    return int.from_bytes(bytes(int(bit) for bit in bits))


def read(picture: bytes, letters: Font) -> Screen:
    """Return what a PPM shows."""
    width, height, pixels = _ppm(picture)
    colours = _colours(pixels)
    if not colours:
        return Screen()
    lit = _lit(pixels, width, colours.most_common(1)[0][0])
    text_mode = (width, height) == _TEXT_MODE
    step = _TEXT_MODE_WIDTH if text_mode else _WIDTH
    grid = [
        _cells(lit[top : top + _HEIGHT], range(0, width - _WIDTH + 1, step))
        for top in range(0, height - _HEIGHT + 1, _HEIGHT)
    ]
    lines = _lines(["".join(_letter(cell, letters) for cell in row) for row in grid])
    prompt = not lines and _is_prompt(next((row for row in reversed(grid) if any(row)), []))
    return Screen(lines, len(colours) > _FEW_COLOURS, text_mode, prompt)


def png(picture: bytes) -> bytes:
    """Return a PPM as a PNG, which browsers show (RFC 2083); nothing of one that is cut off."""
    width, height, pixels = _ppm(picture)
    if not pixels:
        return b""
    rows = (pixels[at : at + 3 * width] for at in range(0, len(pixels), 3 * width))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits each of RGB
    data = zlib.compress(b"".join(b"\0" + row for row in rows), 9)  # 0: rows as they are
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def read_memory(memory: bytes) -> tuple[str, ...]:
    """Return the text in VGA text memory, for guests that loaded a font of their own.

    A cell is a character and its colours. What scrolled away lately is in it too, and after the
    memory's end the console goes on at its beginning, so the order of the lines is not certain.
    """
    text = "".join(chr(code) if 32 <= code < 127 else " " for code in memory[0::2])
    rows = (text[at : at + _TEXT_COLUMNS] for at in range(0, len(text), _TEXT_COLUMNS))
    return _lines(list(rows))


def _ppm(picture: bytes) -> tuple[int, int, bytes]:
    """Return width, height and RGB pixels of a binary PPM of depth 8; nothing if it is cut off."""
    header = re.match(rb"P6\s+(\d{1,5})\s+(\d{1,5})\s+255\s", picture)
    if header is None:
        return 0, 0, b""
    width, height = int(header[1]), int(header[2])
    pixels = picture[header.end() :]
    return width, height, pixels if len(pixels) == width * height * 3 else b""


def _colours(pixels: bytes) -> Counter[tuple[int, int, int]]:
    """Count the colours of every seventh pixel."""
    return Counter(zip(pixels[0::21], pixels[1::21], pixels[2::21], strict=False))


def _lit(pixels: bytes, width: int, background: tuple[int, int, int]) -> list[bytes]:
    """Return a row of ones and zeros for each row of pixels: one where it is not background."""
    flat = bytes(background) * width
    table = bytes([0] + [1] * 255)
    rows = []
    for at in range(0, len(pixels), width * 3):
        differs = int.from_bytes(pixels[at : at + width * 3]) ^ int.from_bytes(flat)
        spread = differs.to_bytes(width * 3).translate(table)
        red, green, blue = (int.from_bytes(spread[channel::3]) for channel in range(3))
        rows.append((red | green | blue).to_bytes(width))
    return rows


def _cells(lit: list[bytes], columns: range) -> list[int]:
    """Return the pixels of each cell in a row of cells as a number."""
    if not any(map(any, lit)):
        return []
    cells = (b"".join(line[left : left + _WIDTH] for line in lit) for left in columns)
    return [int.from_bytes(cell) for cell in cells]


_FULL = int.from_bytes(b"\1" * (_WIDTH * _HEIGHT))


def _letter(cell: int, letters: Font) -> str:
    """Return the letter in a cell, in inverse video too, or with a cursor under it."""
    if cell in (0, _FULL):
        return " "
    found = letters.get(cell) or letters.get(cell ^ _FULL)
    if found is not None:
        return found
    distance, near = min(((cell ^ glyph).bit_count(), letter) for glyph, letter in letters.items())
    return near if distance <= _CURSOR else _UNKNOWN


def _lines(rows: list[str]) -> tuple[str, ...]:
    """Return the text of the rows, long lines put together again; nothing if it is no text."""
    cells = "".join(rows).replace(" ", "")
    if cells.count(_UNKNOWN) > len(cells) * (1 - _READABLE):
        return ()
    joined = "".join(row if row and row[-1] != " " else f"{row}\n" for row in rows)
    return tuple(line.rstrip() for line in joined.splitlines() if line.strip())


def _is_prompt(row: list[int]) -> bool:
    """Tell whether a row reads like ``name login:`` in whatever font, a cursor behind it or not.

    That is: two words, the second of six letters that all differ, the last of them two dots.
    """
    words = [list(word) for blank, word in groupby(row, lambda cell: cell == 0) if not blank]
    if len(words) == 3 and len(words[2]) == 1:
        words.pop()  # the cursor
    if len(words) != 2 or len(words[1]) != len("login:"):
        return False
    return len(set(words[1])) == len(words[1]) and _is_colon(words[1][-1])


def _is_colon(cell: int) -> bool:
    pixels = cell.to_bytes(_WIDTH * _HEIGHT)
    lines = [any(pixels[at : at + _WIDTH]) for at in range(0, len(pixels), _WIDTH)]
    dots = sum(here and not above for above, here in pairwise([False, *lines]))
    return dots == 2 and cell.bit_count() <= 2 * _DOT
