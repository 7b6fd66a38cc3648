# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import Golden
from tests.v2v.batch.running import run, states
from v2v.batch.entries import OPTION_KEYS
from v2v.batch.plan import read_plan
from v2v.cli import main
from v2v.errors import PlanError
from v2v.listing import to_csv, to_json, to_plan
from v2v.sources import read
from v2v.sources.xen_host import Listed

PLANS = Path(__file__).parent.parent.parent.parent / "fixtures/plans"
EXAMPLES = ("first", "waves", "inventory")


@pytest.fixture
def plans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Path(shutil.copytree(PLANS, tmp_path / "plans"))


def faults(folder: Path, text: str | bytes, name: str = "plan.yaml") -> list[str]:
    """Return what is wrong with a plan, without the folder."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(PlanError) as caught:
        read_plan(path)
    return [finding.message.replace(f"{folder}/", "") for finding in caught.value.findings]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_can_be_run(plans: Path, name: str) -> None:
    (plans / "converted").mkdir()
    result = run(plans / f"{name}.yaml")
    assert result.is_done, result.to_text()
    expected = {
        "first": {"db", "web", "application"},
        "waves": {"web", "db", "app"},
        "inventory": {"web", "database", "mail"},
    }
    assert set(states(result)) == expected[name]


def test_defaults_go_for_guests_that_say_nothing_else(plans: Path) -> None:
    plan = read_plan(plans / "waves.yaml")
    web, db, app = plan.entries
    assert (web.timeout, db.timeout, web.memory_limit, db.memory_limit) == (
        7200.0, None, 3 << 30, None,
    )  # fmt: skip
    assert (web.options.fstrim, db.options.fstrim) == (True, False)
    assert app.options.input_kind == "vmx"
    assert {entry.target for entry in plan.entries} == {str(plans / "converted")}
    assert [wave.name for wave in plan.waves] == ["pilot", "all others"]
    assert [wave.stop_on_failure for wave in plan.waves] == [True, False]
    assert (plan.jobs, plan.retry) == (4, 1)
    assert [plan.per_source.of(host) for host in ("localhost", "dom0")] == [2, 1]
    assert plan.per_target.of("anything") is None


def test_a_list_of_a_guest_replaces_that_of_the_defaults(tmp_path: Path, plans: Path) -> None:
    (plans / "plan.yaml").write_text(
        "defaults: {map_path: [/a=/b, /c=/d]}\n"
        "guests: [{source: guests/web.cfg}, {source: guests/db.cfg, map_path: /e=/f}]\n"
    )
    web, db = read_plan(plans / "plan.yaml").entries
    assert [len(entry.options.path_maps) for entry in (web, db)] == [2, 1]


def test_inventories_have_the_keys_of_guests(plans: Path) -> None:
    web, database, mail = read_plan(plans / "inventory.yaml").entries
    assert (web.name, database.name, mail.name) == ("web", "database", "mail")
    assert (web.wave, database.wave, mail.wave) == ("1", "2", "1")
    assert (web.options.fstrim, database.options.fstrim) == (False, True)
    assert (web.host, mail.host) == ("localhost", "dom0")
    assert mail.machine is None
    assert mail.argv[-2:] == ("--", "xen+ssh://root@dom0/mail")


def test_what_v2v_list_prints_is_an_inventory_and_a_plan(plans: Path) -> None:
    machine = read([plans / "guests/web.cfg"])
    found = [Listed(machine, "shut off", "DC/vm/my web")]
    address = "vpx://admin@vcenter"
    (plans / "list.csv").write_text(to_csv(found, address))
    (plans / "list.json").write_text(to_json(found, address))
    (plans / "list.yaml").write_text(to_plan(found, address))
    for name in ("list.csv", "list.json"):
        (plans / "plan.yaml").write_text(f"inventory: {name}\n")
        (entry,) = read_plan(plans / "plan.yaml").entries
        assert (entry.name, entry.source) == ("web", ("vpx://admin@vcenter/DC/vm/my%20web",))
    assert read_plan(plans / "list.yaml").entries[0].source == entry.source


def test_all_that_is_wrong_is_told_with_its_place(
    plans: Path, golden: Golden, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["batch", str(plans / "wrong.yaml"), "--dry-run"]) == 2
    golden(PLANS / "wrong.txt", capsys.readouterr().err.replace(f"{plans}/", ""))
    assert not (plans / "wrong.yaml.batch").exists()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: [\n", "plan.yaml:2:1: expected the node content"),
        ("guests: [{source: *x}]\n", "plan.yaml:1:19: found undefined alias"),
        ("guests: &a [*a]\n", "is nested deeper than any plan"),
        ("guests: " + "[" * 5000, "is nested deeper than any plan"),
        ("guests:\n- \x00\n", "plan.yaml:2:1: holds a NUL"),
        ('guests: [{source: "a\\x00"}]\n', "plan.yaml:1:19: holds a NUL"),
        ("guests: \x01\n", "is no YAML"),
        (b"guests: \xff\n", "plan.yaml:1:1: is not UTF-8"),
        ("", "plan.yaml:1:1: there are no guests in it"),
        ("- a\n", "plan.yaml:1:1: must be a mapping of keys to values"),
        ("jobs: 2\n", "plan.yaml:1:1: there are no guests in it"),
        ("? [a]\n: b\n", "plan.yaml:1:3: a key must be a word"),
        ("guests: 5\n", "plan.yaml:1:9: must be a list"),
        ("waves: [{name: a}, {name: a}]\n", "plan.yaml:1:27: there is a wave a already"),
        ("waves: [{guests: [{source: plan.yaml, name: x, wave: 2}]}]", "the plan has a list of"),
        ("inventory: {a: b}\n", "inventory: is the name of a file"),
    ],
)
def test_text_that_is_no_plan_is_told(tmp_path: Path, text: str | bytes, fault: str) -> None:
    assert any(fault in said for said in faults(tmp_path, text)), faults(tmp_path, text)


def test_aliases_cost_nothing(tmp_path: Path) -> None:
    levels = "".join(
        f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]\n" for number in range(1, 9)
    )
    assert len(faults(tmp_path, f"a0: &a0 [x, x]\n{levels}")) < 20


def test_a_plan_has_a_size(tmp_path: Path) -> None:
    assert "larger than any plan" in faults(tmp_path, b"#" * (17 << 20))[0]


def test_a_plan_that_is_absent_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["batch", str(tmp_path / "plan.yaml")]) == 2
    assert "no such file or directory [E-PLAN]" in capsys.readouterr().err


def test_no_guests_are_a_plan(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text("guests: []\n")
    result = run(tmp_path / "plan.yaml")
    assert result.is_done
    assert result.to_text().endswith("0 guests: none; 0 s\n")


def test_every_option_of_convert_goes_for_a_guest(plans: Path) -> None:
    assert {"key", "network", "output", "strict", "virtio_win"} <= set(OPTION_KEYS)
    (plans / "plan.yaml").write_text(
        "guests: [{source: guests/web.cfg, bridge: [xenbr0:br9], strict: yes, key: all:key:-x}]\n"
    )
    (entry,) = read_plan(plans / "plan.yaml").entries
    assert entry.strict
    assert "-x" not in repr(entry.options.keys)
    assert entry.options.keys[0].secret == b"-x"
    assert "br9" in repr(entry.options.networks)


def test_limits_name_hosts_and_folders(plans: Path) -> None:
    (plans / "plan.yaml").write_text(
        "defaults: {output_storage: ./out/}\njobs_per_target: {out: 2, others: 5}\n"
        "jobs_per_source: {dom0: 1}\nguests: [{source: xen+ssh://root@dom0/web}]\n"
    )
    plan = read_plan(plans / "plan.yaml")
    assert plan.per_target.of(plan.entries[0].target) == 2
    assert plan.per_target.of("/elsewhere") == 5
    assert plan.per_source.of(plan.entries[0].host) == 1
    assert plan.per_source.of("localhost") is None


def test_a_place_for_the_result_is_tried_before_the_work(
    plans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["batch", str(plans / "first.yaml"), "--report", str(plans / "absent/result.json")]
    assert main(argv) == 1
    assert "E-TARGET-WRITE" in capsys.readouterr().err
    assert not (plans / "first.yaml.batch").exists()
