# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pictures drawn with the VGA font are read back as the text that was drawn."""

from __future__ import annotations

import random

import pytest

from v2v.proof.screen import Font, Screen, font, read, read_memory

BLACK, GREY, BLUE = bytes(3), bytes((168, 168, 168)), bytes((0, 0, 168))
LOGIN = ("Debian GNU/Linux 12 web tty1", "", "web login: ")


@pytest.fixture(scope="module")
def letters() -> Font:
    found = font()
    assert found is not None, "no VGA BIOS is installed (package seabios)"
    return found


def draw(
    lines: tuple[str, ...],
    letters: Font,
    *,
    size: tuple[int, int] = (800, 608),
    colours: tuple[bytes, bytes] = (GREY, BLACK),
    cursor: bool = False,
    linux: bool = True,
) -> bytes:
    """Return a PPM of a text console; ``linux``: with the kernel's own forms of letters."""
    pairs = list(letters.items())[:: 1 if linux else -1]
    glyphs = {letter: cell.to_bytes(128) for cell, letter in pairs}
    glyphs["_"] = bytes(112) + b"\1" * 16  # an underline cursor
    step = 9 if size == (720, 400) else 8
    text = [*lines[:-1], lines[-1] + "_" * cursor]
    rows = []
    for y in range(size[1]):
        line = text[y // 16] if y // 16 < len(text) else ""
        pixels = bytearray(size[0])
        for column, letter in enumerate(line):
            part = glyphs[letter][y % 16 * 8 : y % 16 * 8 + 8]
            pixels[column * step : column * step + 8] = part
        rows.append(b"".join(colours[0] if pixel else colours[1] for pixel in pixels))
    return b"P6\n%d %d\n255\n" % size + b"".join(rows)


@pytest.mark.parametrize("linux", [True, False], ids=["linux", "bios"])
@pytest.mark.parametrize("size", [(720, 400), (800, 608), (1280, 800)])
def test_every_printable_letter_is_read(size: tuple[int, int], linux: bool, letters: Font) -> None:
    alphabet = "".join(chr(code) for code in range(33, 127) if chr(code) != "_")
    lines = (alphabet[:47], alphabet[47:])
    assert read(draw(lines, letters, size=size, linux=linux), letters).lines == lines


def test_a_login_prompt_with_a_cursor_is_read(letters: Font) -> None:
    seen = read(draw(LOGIN, letters, cursor=True), letters)
    assert seen.lines == ("Debian GNU/Linux 12 web tty1", "web login:")
    assert not seen.graphical
    assert not seen.text_mode
    assert not seen.prompt


def test_text_on_a_coloured_ground_and_in_inverse_video_is_read(letters: Font) -> None:
    text = ("A problem has been detected",)
    assert read(draw(text, letters, colours=(GREY, BLUE)), letters).lines == text
    white_on_black = draw(text, letters)
    head, pixels = white_on_black[:15], white_on_black[15:]
    band = 800 * 16 * 3  # the first line of text turned over, as GRUB marks its choice
    turned = bytes(0 if byte else 168 for byte in pixels[:band]) + pixels[band:]
    assert read(head + turned, letters).lines == text


def test_a_line_that_the_screen_broke_is_whole_again(letters: Font) -> None:
    whole = (
        "ALERT!  UUID=0d9c2a44-11a1-4a5e-9c1e-3f0a5b1c2d3e does not exist.  Dropping to a shell!"
    )
    drawn = draw((whole[:80], whole[80:], "(initramfs)"), letters, size=(640, 480))
    assert read(drawn, letters).lines == (whole, "(initramfs)")


def test_a_desktop_is_graphical_and_has_no_lines(letters: Font) -> None:
    noise = random.Random(1).randbytes(640 * 480 * 3)
    seen = read(b"P6\n640 480\n255\n" + noise, letters)
    assert seen == Screen(graphical=True)


def test_a_black_screen_shows_nothing(letters: Font) -> None:
    black = b"P6 640 480 255 " + bytes(640 * 480 * 3)
    assert read(black, letters) == Screen()


@pytest.mark.parametrize(
    "picture", [b"", b"P6\n640 480\n255\n", b"P5\n1 1\n255\nx", b"P6 0 0 255 "]
)
def test_what_is_no_whole_picture_shows_nothing(picture: bytes, letters: Font) -> None:
    assert read(picture, letters).lines == ()


def other_font(letters: Font) -> Font:
    """A font whose letters cannot be read: each one has the form of two others laid together."""
    cells = {letter: cell for cell, letter in letters.items()}
    small = [cells[chr(code)] for code in range(ord("a"), ord("z") + 1)]
    mixed = {
        small[at] ^ small[at - 5] ^ small[at - 9]: chr(ord("a") + at) for at in range(len(small))
    }
    return {**letters, **mixed, cells["."] << 8 * 8 * 6 | cells["."]: ":"}


@pytest.mark.parametrize(
    ("lines", "prompt"),
    [
        (("debian tty", "", "web login: "), True),
        (("debian tty", "", "web login:"), True),
        (("give root password for maintenance", "or press control d to continue: "), False),
        (("welcome to emergency mode", "initramfs: "), False),
        (("web noodle:",), False),  # two letters are the same
        (("web logins",), False),
    ],
)
def test_a_login_prompt_in_an_unknown_font_is_told_by_its_shape(
    lines: tuple[str, ...], prompt: bool, letters: Font
) -> None:
    cursor = lines[-1].endswith(" ")
    seen = read(draw(lines, other_font(letters), cursor=cursor), letters)
    assert seen.lines == ()
    assert seen.prompt is prompt


def test_text_memory_is_read_without_what_is_no_letter() -> None:
    rows = b"".join(bytes(row).ljust(80, b"\0") for row in (b"GRUB loading.", b"\xdb\xdb", b"ok"))
    memory = bytes(byte for cell in rows for byte in (cell, 7))
    assert read_memory(memory) == ("GRUB loading.", "ok")
