"""The files in deploy/ are what their engines take, as far as that can be known without the engines."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet
from shells import Shells

from chaperon.cli.main import chaperon
from chaperon.cluster.transport.keys import make_pair

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
MANIFESTS = [*yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())]
SERVICE, JOB, DEPLOYMENT = MANIFESTS
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
UNIT = (DEPLOY / "chaperon-worker.service").read_text()
PORTS = [5570, 5571, 5572]


@pytest.mark.parametrize("version", ["1.29", "latest"])
@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda m: m["kind"])
def test_kubernetes_knows_every_field(manifest, version):
    import kubernetes_validate  # takes a quarter of a second, which other processes of the tests need not wait for

    known = kubernetes_validate.latest_version() if version == "latest" else version
    kubernetes_validate.validate(manifest, known, strict=True)


def test_a_field_kubernetes_does_not_know_would_be_found():
    import kubernetes_validate

    wrong = {**JOB, "spec": {**JOB["spec"], "backofLimit": 0}}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.29", strict=True)


def test_what_the_manifests_name_is_there():
    job, worker = JOB["spec"]["template"], DEPLOYMENT["spec"]["template"]
    (master_container,), (worker_container,) = job["spec"]["containers"], worker["spec"]["containers"]

    assert SERVICE["spec"]["selector"].items() <= job["metadata"]["labels"].items()
    assert DEPLOYMENT["spec"]["selector"]["matchLabels"] == worker["metadata"]["labels"]
    assert not SERVICE["spec"]["selector"].items() <= worker["metadata"]["labels"].items()
    assert [port["containerPort"] for port in master_container["ports"]] == PORTS
    assert [port["port"] for port in SERVICE["spec"]["ports"]] == PORTS
    assert {p["targetPort"] for p in SERVICE["spec"]["ports"]} == {p["name"] for p in master_container["ports"]}
    assert f"--master=tcp://{SERVICE['metadata']['name']}:5570" in worker_container["args"]
    for template in (job, worker):
        (container,) = template["spec"]["containers"]
        assert {v["name"] for v in template["spec"]["volumes"]} == {m["name"] for m in container["volumeMounts"]}


def test_a_key_is_a_secret_and_the_workers_is_not_the_masters():
    names = [
        next(e for e in template["spec"]["containers"][0]["env"] if e["name"] == "CHAPERON_KEY")["valueFrom"]
        for template in (JOB["spec"]["template"], DEPLOYMENT["spec"]["template"])
    ]

    assert [name["secretKeyRef"]["name"] for name in names] == ["chaperon-master", "chaperon-worker"]
    assert "CHAPERON_MASTER_KEY" in COMPOSE["services"]["master"]["environment"]["CHAPERON_KEY"]
    assert "CHAPERON_WORKER_KEY" in COMPOSE["services"]["worker"]["environment"]["CHAPERON_KEY"]


@pytest.mark.processes
def test_compose_knows_every_field(tmp_path):
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((DEPLOY / "compose.yaml").read_text().replace("    command:", "    comand:"))

    good = subprocess.run([*check, DEPLOY / "compose.yaml"], capture_output=True, text=True)
    bad = subprocess.run([*check, wrong], capture_output=True, text=True)

    assert good.returncode == 0, good.stdout
    assert bad.returncode == 1
    assert "comand" in bad.stdout


def test_compose_builds_from_what_is_there():
    build = COMPOSE["services"]["master"]["build"]

    context = (DEPLOY / build["context"]).resolve()

    assert context == ROOT
    assert (context / build["dockerfile"]).is_file()
    assert (DEPLOY / "../examples" / "basic_account_login.py").is_file()


def test_the_image_is_built_from_what_its_context_lets_in_and_starts_what_is_installed():
    stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?$", DOCKERFILE, re.MULTILINE)
    copied = [line.split()[1:-1] for line in DOCKERFILE.splitlines() if re.match(r"COPY (?!--from)", line)]
    let_in = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"}

    assert [name for _, name in stages] == ["build", ""]
    assert {source.removeprefix("./") for sources in copied for source in sources} == let_in
    assert all((ROOT / source).exists() for source in let_in)
    assert 'ENTRYPOINT ["chaperon"]' in DOCKERFILE
    assert "USER 10001" in DOCKERFILE
    assert DOCKERFILE.split("EXPOSE ")[1].splitlines()[0].split() == [str(port) for port in PORTS]
    assert {t["spec"]["securityContext"]["runAsUser"] for t in (JOB["spec"]["template"],)} == {10001}


def requirements(text):
    """Return the lower and upper bounds of requirements by name, normalized."""
    found = re.findall(r"^\s*([A-Za-z][\w-]*)((?:[<>=]=?[\w.]+,?)+)\s*$", text, re.MULTILINE)
    return {name.lower().replace("_", "-"): SpecifierSet(bounds) for name, bounds in found}


def test_every_dependency_has_a_lower_and_an_upper_bound():
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg")
    lines = [parser["options"]["install_requires"], *parser["options.extras_require"].values()]

    # what follows ; is the marker of a dependency that only some versions of Python have
    named = [line.partition(";")[0].strip() for text in lines for line in text.splitlines() if line.strip()]

    assert len(named) > 20
    for line in named:
        (bounds,) = requirements(line).values()
        assert sorted(each.operator for each in bounds) == ["<", ">="], line


@pytest.mark.parametrize("file", ["constraints.txt", "build-constraints.txt"])
def test_what_the_image_installs_is_given_by_version_and_hash(file):
    text = (DEPLOY / file).read_text()
    entries = re.split(r"\n(?=\S)", text.strip())

    assert len(entries) > 5
    for entry in entries:
        assert re.match(r"[\w.-]+==[\w.]+ \\\n(    --hash=sha256:[0-9a-f]{64}( \\\n)?)+$", entry), entry
    assert "index" not in text
    assert "://" not in text


def test_the_image_installs_what_the_setup_asks_for():
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg")
    pinned = dict(re.findall(r"^([\w.-]+)==([\w.]+)", (DEPLOY / "constraints.txt").read_text(), re.MULTILINE))

    for name, bounds in requirements(parser["options"]["install_requires"]).items():
        assert pinned[name] in bounds, name


def test_the_base_of_the_image_is_given_by_digest():
    bases = {base for base, _ in re.findall(r"^FROM (\S+)(?: AS (\S+))?$", DOCKERFILE, re.MULTILINE)}

    (base,) = bases
    assert re.fullmatch(r"python:3\.13-slim@sha256:[0-9a-f]{64}", base)


@pytest.mark.processes
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine")
def test_systemd_takes_the_unit_as_it_is(tmp_path):
    program = tmp_path / "chaperon"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / "chaperon-worker.service"
    unit.write_text(UNIT.replace("/opt/chaperon/bin/chaperon", str(program)))
    wrong = tmp_path / "wrong.service"
    wrong.write_text(unit.read_text().replace("Restart=always", "Restart=ever"))

    good = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    bad = subprocess.run(["systemd-analyze", "verify", wrong], capture_output=True, text=True)

    assert (good.returncode, good.stderr) == (0, "")
    assert "restart specifier" in bad.stderr


def test_the_unit_reads_what_its_file_of_variables_sets():
    variables = {
        line.partition("=")[0]
        for line in (DEPLOY / "chaperon-worker.env").read_text().splitlines()
        if line and not line.startswith("#")
    }
    (start,) = re.findall(r"^ExecStart=(.*)$", UNIT, re.MULTILINE)

    assert variables == {"CHAPERON_MASTER", "CHAPERON_KEY"}
    assert shlex.split(start)[1:4] == ["worker", "--master", "${CHAPERON_MASTER}"]
    assert "EnvironmentFile=/etc/chaperon-worker.env" in UNIT


GUIDE = (ROOT / "examples" / "cluster.md").read_text()
FILES = sorted(path for path in DEPLOY.iterdir() if path.is_file())
SHOWN = [
    *re.findall(r"^    chaperon (.*)$", GUIDE, re.MULTILINE),
    *re.findall(r"^#   chaperon (.*)$", "\n".join(p.read_text() for p in FILES), re.MULTILINE),
]


def interpolated(value, variables):
    """Fill in ${NAME}, ${NAME:-default}, ${NAME:?why} as compose does."""

    def fill(match):
        name, kind, rest = match.groups()
        return variables[name] if name in variables or kind != ":-" else rest

    return re.sub(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}", fill, value)


def commands(target):
    """Return what each file in deploy/ runs, as (master's arguments, worker's arguments); a unit has no master."""
    said = {"TARGET": target, "CHAPERON_MASTER": "tcp://master.example:5570"}
    composed = [[interpolated(a, said) for a in COMPOSE["services"][name]["command"]] for name in ("master", "worker")]
    pods = [m["spec"]["template"]["spec"]["containers"][0]["args"] for m in (JOB, DEPLOYMENT)]
    (start,) = re.findall(r"^ExecStart=(.*)$", UNIT, re.MULTILINE)
    unit = shlex.split(interpolated(start.replace("%H", "host"), said))[1:]
    return {"compose": composed, "kubernetes": pods, "systemd": (None, unit)}


@pytest.mark.parametrize("line", SHOWN)
def test_every_command_that_is_shown_is_one(line):
    name, *args = shlex.split(line.partition("  ")[0])

    chaperon.get_command(None, name).make_context(name, args)


@pytest.mark.parametrize("kind", ["compose", "kubernetes", "systemd"])
def test_what_the_files_run_are_commands(kind):
    for args in commands("http://127.0.0.1:8080")[kind]:
        if args is not None:
            chaperon.get_command(None, args[0]).make_context(args[0], list(args[1:]))


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["compose", "kubernetes", "systemd"])
def test_what_the_files_run_runs(kind, tmp_path, target):
    shells = Shells(tmp_path)
    masters, workers = ({**os.environ, "CHAPERON_KEY": str(key)} for key in make_pair())
    master, worker = commands(target.url)[kind]
    try:
        told = [
            re.sub(r"^/scenarios?/.*\.py$", str(ROOT / "examples" / "basic_account_login.py"), arg)
            .replace("tcp://0.0.0.0:5570", "tcp://127.0.0.1:*")
            .replace("http://target.default.svc:8080", target.url)
            for arg in master or commands(target.url)["compose"][0]
        ]
        small = ("--only", "custom_name", "--users", 2, "--hold", "500ms", "--workers", 1, "--json", "out.json")
        conducting = shells.start(*told, *small, env=masters)
        address = shells.told(conducting, "the master is at ").split()[-1]
        joined = re.sub(r"tcp://[a-z.-]+:5570", address, " ".join(map(str, worker))).replace("$(POD_NAME)", "pod-1")
        working = shells.start(*shlex.split(joined), env=workers)

        assert shells.ends(conducting) == 0, (conducting.told, working.told)
        assert shells.report()["ledger"][0]["done"] > 0
        working.send_signal(signal.SIGTERM)
        assert shells.ends(working) == 130, working.told
    finally:
        shells.close()


@pytest.mark.faults
def test_the_guides_two_shells_work_as_they_are_shown(tmp_path):
    shells = Shells(tmp_path)
    conduct, work = (next(line for line in SHOWN if line.startswith(start)) for start in ("master", "worker"))
    try:
        master = shells.start(
            *shlex.split(conduct.replace("examples/", f"{ROOT}/examples/")),
            *("--bind", "tcp://127.0.0.1:*", "--hold", "1s", "--ramp", "500ms", "--quiet", "--json", "out.json"),
        )
        address = shells.told(master, "the master is at ").split()[-1]
        shells.start(*shlex.split(work.replace("tcp://127.0.0.1", address)))

        assert shells.ends(master) == 0, master.told
        assert {row["scenario"] for row in shells.report()["ledger"]} == {"customers", "passers_by"}
        assert len(shells.report()["workers"]) == 2
    finally:
        shells.close()
