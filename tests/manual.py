# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes manual pages and completions from the options of v2v/arguments.py and docs/manual/.

    python -m tests.manual

An option's line of help comes first, then what docs/manual/options.md says of it. The prose is
Markdown cut down to headings, paragraphs, indented examples, **bold**, *italic* and definitions, a
term and after it lines that begin with ": ".
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import shtab

from v2v.arguments import parser

ROOT = Path(__file__).parent.parent
PROSE = ROOT / "docs/manual"
_HEAD = (
    '.\\" SPDX-License-Identifier: LGPL-2.1-or-later\n'
    '.\\" Written by `make manual` from v2v/arguments.py and docs/manual/.'
)
_HELP = "print the options"  # argparse has this text translated
# argparse's own groups, and what stands above them where there are others.
_COMMON = {"positional arguments": "Operands", "options": "General"}


def verbs() -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of all verbs, in the order of their help."""
    return dict(_verbs_action(parser()).choices)


def _verbs_action(
    top: argparse.ArgumentParser,
) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    return next(action for action in top._actions if isinstance(action, argparse._SubParsersAction))


def _about(verb: str) -> str:
    """Return a verb's line of help."""
    return next(
        choice.help or ""
        for choice in _verbs_action(parser())._choices_actions
        if choice.dest == verb
    )


def written() -> dict[Path, str]:
    """Return what is written from the options, by its path: manual pages and completions."""
    return {**pages(), **completions()}


def completions() -> dict[Path, str]:
    """Return what bash and zsh complete v2v's command line by."""
    top = parser()
    for verb in _verbs_action(top).choices.values():
        for action in verb._actions:
            if action.type is Path or action.dest == "source":
                folder = str(action.metavar).startswith("DIR")
                action.complete = shtab.DIRECTORY if folder else shtab.FILE  # type: ignore[attr-defined]
    names = {"bash": "v2v", "zsh": "_v2v"}
    return {
        ROOT / "docs/completions" / name: shtab.complete(top, shell=shell).rstrip() + "\n"
        for shell, name in names.items()
    }


def pages() -> dict[Path, str]:
    """Return all manual pages by their paths."""
    names = {"v2v": _overview(), **{f"v2v-{verb}": _page(verb, verbs()[verb]) for verb in verbs()}}
    return {ROOT / f"docs/{name}.1": f"{text}\n" for name, text in names.items()}


def sections(path: Path) -> dict[str, str]:
    """Return the text under each heading of a file; what comes before is for its editors."""
    if not path.exists():
        return {}
    parts = re.split(r"^## (.+)\n", path.read_text(encoding="utf-8"), flags=re.M)[1:]
    return dict(zip(parts[::2], (text.strip("\n") for text in parts[1::2]), strict=True))


def _overview() -> str:
    prose = sections(PROSE / "v2v.md")
    lines = [
        *_title("v2v", parser().description or ""),
        ".SH SYNOPSIS",
        "\\fBv2v\\fR \\fIVERB\\fR [\\fIoption\\fR ...]",
        *_section("DESCRIPTION", prose.pop("DESCRIPTION")),
        ".SH VERBS",
    ]
    for verb in verbs():
        lines += [".TP", f".BR v2v\\-{verb} (1)", _sentence(_about(verb))]
    lines += [".PP", "\\fBv2v \\-\\-version\\fR prints the version."]
    others = prose.pop("SEE ALSO")
    for heading, text in prose.items():
        lines += _section(heading, text)
    return "\n".join([*lines, *_see_also("v2v", others)])


def _page(verb: str, about: argparse.ArgumentParser) -> str:
    prose = sections(PROSE / f"v2v-{verb}.md")
    operands = [
        f"{action.metavar}{' ...' if action.nargs == '+' else ''}"
        for action in about._actions
        if not action.option_strings
    ]
    lines = [
        *_title(f"v2v-{verb}", _about(verb)),
        ".SH SYNOPSIS",
        " ".join([f"\\fBv2v {verb}\\fR", "[\\fIoption\\fR ...]", *map(_placeholder, operands)]),
        *_section("DESCRIPTION", prose.pop("DESCRIPTION", about.description or "")),
        ".SH OPTIONS",
    ]
    extra = sections(PROSE / "options.md")
    for group in sorted(about._action_groups, key=lambda group: group.title in _COMMON):
        if actions := group._group_actions:
            if group.title not in _COMMON:
                lines.append(f".SS {_capital(group.title or '')}")
            elif len(about._action_groups) > len(_COMMON):
                lines.append(f".SS {_COMMON[group.title]}")
            for action in actions:
                lines += _option(action, extra)
    for heading, text in prose.items():
        lines += _section(heading, text)
    return "\n".join([*lines, *_see_also(f"v2v-{verb}", "")])


def _title(name: str, about: str) -> list[str]:
    summary = about.rstrip(".")
    return [
        _HEAD,
        f'.TH {name.upper()} 1 "" "v2v" "User Commands"',
        ".SH NAME",
        f"{_escaped(name)} \\- {_escaped(summary[0].lower() + summary[1:])}",
    ]


def _see_also(name: str, others: str) -> list[str]:
    pages = ["v2v", *(f"v2v-{verb}" for verb in verbs())]
    ours = ", ".join(f"**{page}**(1)" for page in pages if page != name)
    return _section("SEE ALSO", ", ".join(filter(None, [ours, others])))


def _option(action: argparse.Action, extra: dict[str, str]) -> list[str]:
    """Return an option's names, what it takes, its help, and its prose."""
    names = ", ".join(f"\\fB{_escaped(name)}\\fR" for name in action.option_strings)
    value = _value(action)
    tag = f"{names}[={value}]" if action.nargs == "?" else " ".join(filter(None, [names, value]))
    key = action.option_strings[-1] if action.option_strings else str(action.metavar)
    help_text = _HELP if key == "--help" else action.help or ""
    text = _sentence(help_text)
    if action.metavar and action.choices and action.option_strings:
        listed = ", ".join(map(str, action.choices))
        text += f" {_placeholder(str(action.metavar))} is one of {_escaped(listed)}."
    first, *more = _paragraphs(extra[key]) if key in extra else [""]
    lines = [".TP", tag, _protected(f"{text} {_inline(first)}".strip())]
    for paragraph in more:
        lines += [".IP", _protected(_inline(paragraph))]
    return lines


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if action.metavar is None and action.choices:
        return "|".join(f"\\fB{_escaped(str(choice))}\\fR" for choice in action.choices)
    return _placeholder(str(action.metavar or action.dest.upper()))


def _placeholder(metavar: str) -> str:
    """Return a metavar with what is to be filled in as italics, and the rest as it is typed."""
    return re.sub(r"[A-Z][A-Z.]*[A-Z]|[A-Z]", r"\\fI\g<0>\\fR", _escaped(metavar))


def _section(heading: str, text: str) -> list[str]:
    lines = [f".SH {heading}"]
    for at, paragraph in enumerate(_paragraphs(text)):
        if paragraph.startswith("    "):
            example = (line.removeprefix("    ") for line in paragraph.splitlines())
            lines += [
                *([".PP"] if at else []),
                ".EX",
                ".in +4",
                *map(_protected, map(_escaped, example)),
                ".in",
                ".EE",
            ]
        elif "\n: " in paragraph:
            term, _, meaning = paragraph.partition("\n: ")
            lines += [".TP", _inline(term), _protected(_inline(meaning))]
        else:
            lines += [*([".PP"] if at else []), _protected(_inline(paragraph))]
    return lines


def _paragraphs(text: str) -> Iterator[str]:
    return iter(re.split(r"\n\n+", text))


def _inline(text: str) -> str:
    """Return a paragraph with its markup as roff's."""
    flat = _escaped(" ".join(text.split()))
    flat = re.sub(r"\*\*(.+?)\*\*", r"\\fB\1\\fR", flat)
    return re.sub(r"\*(.+?)\*", r"\\fI\1\\fR", flat)


def _sentence(help_text: str) -> str:
    return _escaped(f"{_capital(help_text)}.")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-")


def _protected(line: str) -> str:
    """Keep a line that begins with a dot or an apostrophe from being a request of roff's."""
    return f"\\&{line}" if line.startswith((".", "'")) else line


def main() -> None:
    """Write them."""
    for path, text in written().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
