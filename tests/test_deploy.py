"""The files in deploy/ are what their engines take, as far as that can be known without the engines."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
MANIFESTS = [*yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())]
SERVICE, JOB, DEPLOYMENT = MANIFESTS
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
UNIT = (DEPLOY / "chaperon-worker.service").read_text()
PORTS = [5570, 5571, 5572]


@pytest.mark.parametrize("version", ["1.29", kubernetes_validate.latest_version()])
@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda m: m["kind"])
def test_kubernetes_knows_every_field(manifest, version):
    kubernetes_validate.validate(manifest, version, strict=True)


def test_a_field_kubernetes_does_not_know_would_be_found():
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
