# SPDX-License-Identifier: LGPL-2.1-or-later
"""The laws of the code base that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import v2v
from tests import manual
from v2v.arguments import parser

ROOT = Path(__file__).parent.parent
PRODUCT = sorted(
    path for folder in ("v2v", "converters", "drivers") for path in (ROOT / folder).rglob("*.py")
)
FIXTURES = sorted((ROOT / "fixtures").glob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
EVERYTHING = [*PRODUCT, *FIXTURES, *TESTS]
# From the top of the house down: each may import what stands at its level or below.
LEVELS = (
    ("v2v.cli", "v2v.__main__"),
    ("v2v.batch", "v2v.config"),
    ("v2v",),  # the public face
    ("v2v.pipeline",),
    ("v2v.finishing", "v2v.html_report", "v2v.job", "v2v.listing", "v2v.report"),
    (
        "v2v.sources",
        "v2v.targets",
        "v2v.domain",
        "v2v.hardware",
        "v2v.partitioning",
        "v2v.stillness",
        "converters",
        "v2v.proof",
    ),
    ("v2v.options", "v2v.option_keys"),
    ("v2v.arguments",),
    (
        "v2v.access",
        "v2v.buses",
        "v2v.kernel_package",
        "v2v.networks",
        "v2v.osinfo",
        "v2v.output_options",
        "v2v.path_maps",
        "v2v.source_json",
        "drivers",
    ),
    ("v2v.disks", "v2v.guest"),
    (
        "v2v.accel",
        "v2v.observer",
        "v2v.change_kinds",
        "v2v.changes",
        "v2v.devices",
        "v2v.files",
        "v2v.hive",
        "v2v.hosts",
        "v2v.keys",
        "v2v.osrelease",
        "v2v.windows",
    ),
    ("v2v.run",),
    ("v2v.model",),
    (
        "v2v.cancellation",
        "v2v.datastore",
        "v2v.errors",
        "v2v.host_support",
        "v2v.log_file",
        "v2v.nic_address",
        "v2v.packed",
        "v2v.units",
        "v2v.version",
        "v2v.vmware_encodings",
        "v2v.windows_guest",
    ),
)
ONLY_IN = {
    "subprocess": {"v2v/run.py"},
    "guestfs": {"v2v/guest/session.py"},
    "pycdlib": {"drivers/media.py"},
    "hivex": {"v2v/hive.py"},
    "libvirt": {"v2v/hosts/libvirt_host.py", "v2v/hosts/libvirt_pool.py"},
    "tqdm": {"v2v/observer.py", "v2v/batch/progress.py"},
}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def level_of(module: str) -> int:
    found = [
        (len(prefix), level)
        for level, prefixes in enumerate(LEVELS)
        for prefix in prefixes
        if module == prefix or (prefix != "v2v" and module.startswith(f"{prefix}."))
    ]
    assert found, f"{module} has no place in LEVELS"
    return max(found)[1]


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_imports_run_downward_only(path: Path) -> None:
    mine = level_of(module_of(path))
    for name in imports_of(path):
        if name.split(".")[0] in ("v2v", "converters", "drivers"):
            assert level_of(name) >= mine, f"{name_of(path)} imports {name}"


@pytest.mark.parametrize("path", [path for path in PRODUCT if path.parts[-2] != "v2v"], ids=name_of)
def test_converters_and_drivers_touch_no_guest(path: Path) -> None:
    if path.relative_to(ROOT).parts[0] in ("converters", "drivers"):
        for name in imports_of(path):
            assert not name.startswith(("v2v.guest", "v2v.run", "v2v.disks")), name


@pytest.mark.parametrize(("module", "homes"), ONLY_IN.items(), ids=list(ONLY_IN))
def test_some_modules_have_one_importer(module: str, homes: set[str]) -> None:
    users = {name_of(path) for path in PRODUCT if module in imports_of(path)}
    assert users == homes


@pytest.mark.parametrize("path", EVERYTHING, ids=name_of)
def test_modules_and_functions_stay_small(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# SPDX-License-Identifier: LGPL-2.1-or-later"
    assert len(lines) <= 400
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1
            assert length <= 60, f"{name_of(path)}: {node.name} has {length} lines"


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_no_error_is_swallowed(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ExceptHandler):
            names = ast.unparse(node.type) if node.type else ""
            assert names, f"{name_of(path)}:{node.lineno}: a bare except"
            assert "Exception" not in names.split("|"), f"{name_of(path)}:{node.lineno}"
            assert not all(isinstance(part, ast.Pass) for part in node.body), node.lineno
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", f"{name_of(path)}:{node.lineno}: print"


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_the_code_is_ascii(path: Path) -> None:
    assert path.read_text(encoding="utf-8").isascii()


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_only_the_pipeline_knows_of_dry_runs(path: Path) -> None:
    known_by = ("pipeline", "report", "html_report", "cli", "batch/result")
    if name_of(path) not in {f"v2v/{name}.py" for name in known_by}:
        assert "dry_run" not in path.read_text(encoding="utf-8")


def test_no_two_functions_have_the_same_body() -> None:
    bodies = defaultdict(list)
    for path in PRODUCT:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno > 5:
                bodies[ast.dump(ast.Module(node.body, []))].append(f"{name_of(path)}:{node.name}")
    assert [places for places in bodies.values() if len(places) > 1] == []


def test_every_module_of_tests_imports_the_product() -> None:
    for path in TESTS:
        if path.name.startswith("test_"):
            tops = {name.split(".")[0] for name in imports_of(path)}
            assert tops & {"v2v", "converters", "drivers", "fixtures"}, name_of(path)


def test_the_public_names_are_those_listed() -> None:
    here = {name for name in vars(v2v) if not name.startswith("_")}
    modules = {path.stem for path in (ROOT / "v2v").iterdir()}
    assert here - modules - {"annotations", "import_module"} <= {"TYPE_CHECKING", *v2v.__all__}
    for name in v2v.__all__:
        assert getattr(v2v, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'absent'"):
        _ = v2v.absent


def test_every_code_is_explained_and_every_explanation_has_a_code() -> None:
    used = set()
    for path in PRODUCT:
        for node in ast.walk(tree_of(path)):
            value = node.value if isinstance(node, ast.Constant) else None
            if isinstance(value, str) and re.fullmatch(r"[EW]-[A-Z0-9-]+", value):
                used.add(value)
    explained = re.findall(r"^## ([EW]-\S+)$", (ROOT / "docs/messages.md").read_text(), re.M)
    assert sorted(explained) == sorted(used)


@pytest.mark.parametrize("path", manual.written(), ids=name_of)
def test_manual_pages_and_completions_are_those_of_the_options(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == manual.written()[path], "run `make manual`"


def test_every_option_has_its_line_of_help_and_all_prose_is_of_an_option() -> None:
    names = set()
    for verb in manual.verbs().values():
        for action in verb._actions:
            assert action.help, action
            names.add(action.option_strings[-1] if action.option_strings else action.metavar)
    assert set(manual.sections(manual.PROSE / "options.md")) <= names
    pages = {path.stem for path in manual.PROSE.glob("v2v*.md")}
    assert pages == {"v2v", *(f"v2v-{verb}" for verb in manual.verbs())}


def test_the_manual_pages_are_good_roff() -> None:
    said = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", *manual.pages()],
        capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    assert [line for line in said.splitlines() if "missing date" not in line] == []


def test_the_readme_examples_are_ones_that_the_parser_takes() -> None:
    commands = re.findall(r"^    v2v ([^#\n]+)", (ROOT / "README.md").read_text(), re.M)
    assert len(commands) >= 4
    for command in commands:
        parser().parse_args(_split(command))


def _split(command: str) -> list[str]:
    return [part.strip('"') for part in re.findall(r'"[^"]*"|\S+', command)]


def test_there_is_one_version_number() -> None:
    number = v2v.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", number)
    for path in [*EVERYTHING, ROOT / "pyproject.toml", ROOT / "README.md"]:
        if path != ROOT / "v2v/version.py":
            assert f'"{number}"' not in path.read_text(encoding="utf-8"), name_of(path)
