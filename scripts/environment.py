"""Make the project's own environment, or see in a moment that it is there: `make` calls this.

    python3 scripts/environment.py VENV [EXTRA ...] [--python 3.13] [--from FILE [--newest]]

Any Python from 3.6 can run it, to be able to say what is wrong with that Python. The environment is
a plain `venv` with uv inside, filled from uv.lock. Extras are only ever added, so that `make film`
and `make test` share one environment. A stamp with the lock's checksum makes the next call quick;
an environment that does not work is said to be so and made again.

`models` and `site` are groups of the lock, not extras: models in packages, which only tests need,
and what builds the site of the course.

The extra `parity` is torch, which for Linux is locked with gigabytes of CUDA. It is installed by
plain pip, in the locked version: pip takes a build for CPUs where its settings offer one, and all
that torch needs besides comes in the locked versions too.

`--from` takes a file of requirements in the place of the lock: other versions than everybody's, to
test with. `--newest` takes the newest that they allow, and looks for newer ones each time.
"""

import argparse
import fcntl
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

OLDEST, NEWEST = (3, 11), (3, 13)
ROOT = Path(__file__).resolve().parent.parent
STAMP = "vdjax-stamp.json"
BY_PIP = ("parity",)
GROUPS = ("models", "site")

# Run inside the environment: is every direct requirement there, and is vdjax this clone's? First
# come the clone and a file of more requirements, or nothing.
CHECK = """
import sys
from importlib import metadata, util
from packaging.requirements import Requirement
root, source, *extras = sys.argv[1:]
origin = util.find_spec("vdjax").origin
if not origin.startswith(root):
    sys.exit("vdjax is imported from " + origin)
texts = metadata.requires("vdjax")
if source:
    lines = open(root + "/" + source).read().splitlines()
    texts += [line for line in lines if line and not line.startswith("#")]
for need in map(Requirement, texts):
    if any(need.marker is None or need.marker.evaluate({"extra": e}) for e in ["", *extras]):
        if not need.specifier.contains(metadata.version(need.name), prereleases=True):
            sys.exit(need.name + " is " + metadata.version(need.name))
"""

# Run inside the environment: what does an extra ask for?
ASKED = """
import sys
from importlib import metadata
from packaging.requirements import Requirement
for need in map(Requirement, metadata.requires("vdjax")):
    if need.marker and need.marker.evaluate({"extra": sys.argv[1]}):
        if not need.marker.evaluate({"extra": ""}):
            print(need.name + str(need.specifier))
"""


def main(venv, wanted, **options):
    with open(str(venv) + ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say(f"waiting for another make that is at work on {shown(venv)}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        prepare(venv, wanted, **options)


def prepare(venv, wanted, version="", source="", newest=False):
    python = venv / "bin" / "python"
    stamp = read_stamp(venv)
    if os.path.lexists(str(venv)):
        fault = fault_of(python, version)
        if fault:
            say(f"{shown(venv)} does not work ({fault}): making it again")
            remove(venv)
            stamp = {}
    extras = sorted({*wanted, *stamp.get("extras", [])})
    key = {"lock": checksum(source or "uv.lock"), "project": checksum("pyproject.toml")}
    key["extras"] = extras
    if stamp == key and not newest:
        missing = run(python, "-c", CHECK, ROOT, source, *extras)
        if not missing:
            return
        say(f"{shown(venv)} lacks something ({missing}): mending it")
    if not python.exists():
        interpreter, found = find_python(version)
        say(f"making the environment {shown(venv)} with Python {found}")
        fault = run(interpreter, "-m", "venv", venv)
        if fault:
            remove(venv)
            say(f"{interpreter} -m venv failed: {fault}")
            stop("a part of Python is missing; on Debian and Ubuntu: apt install python3-venv")
    what = "what films need" + (" and " + ", ".join(extras) if extras else "")
    say(f"installing {what}; the first time takes a few minutes")
    if run(python, "-m", "uv", "--version"):
        pip = [str(python), "-m", "pip", "install", "--quiet", "uv>=0.9"]
        if subprocess.call(pip) != 0:
            stop("pip could not install uv; is there a way to the package index?")
    groups = [extra for extra in extras if extra in GROUPS]
    others = [extra for extra in extras if extra not in GROUPS + BY_PIP]
    sync = [str(python), "-m", "uv"]
    if source:
        sync += ["pip", "install", "--requirement", source]
        sync += ["--editable", ".[{}]".format(",".join(others))]
        sync += ["--upgrade"] if newest else []
    else:
        sync += ["sync", "--frozen", "--inexact"]
        sync += [part for extra in others for part in ("--extra", extra)]
    sync += [part for group in groups for part in ("--group", group)]
    if not sys.stderr.isatty():
        sync.append("--quiet")  # bars for a person, no list of 150 packages in a log
    # uv is to use this environment and this Python, whatever else is set or active.
    chosen = {"UV_PROJECT_ENVIRONMENT": str(venv), "UV_PYTHON_DOWNLOADS": "never"}
    environment = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "UV_PYTHON")}
    environment.update(chosen, UV_PYTHON=str(python))
    if subprocess.call(sync, cwd=str(ROOT), env=environment) != 0:
        stop("uv could not install the packages (above); run make again, it goes on from there")
    for extra in extras:
        if extra in BY_PIP:
            install_by_pip(python, extra, environment)
    missing = run(python, "-c", CHECK, ROOT, source, *extras)
    if missing:
        stop(f"the environment is still not whole: {missing}; try `make clean` first")
    (venv / STAMP).write_text(json.dumps(key))


def install_by_pip(python, extra, environment):
    """What an extra asks for, in the locked versions, from wherever pip's settings say."""
    asked = subprocess.check_output([str(python), "-c", ASKED, extra], universal_newlines=True)
    names = asked.split()
    say("installing {} with pip: large, unless pip knows a CPU build".format(", ".join(names)))
    with tempfile.TemporaryDirectory() as folder:
        locked = os.path.join(folder, "locked.txt")
        export = [str(python), "-m", "uv", "export", "--quiet", "--frozen", "--no-hashes"]
        export += ["--no-emit-project", "--extra", extra, "--output-file", locked]
        if subprocess.call(export, cwd=str(ROOT), env=environment) != 0:
            stop("uv could not read uv.lock (above)")
        pip = [str(python), "-m", "pip", "install", "-qq", "--constraint", locked, *names]
        if subprocess.call(pip) != 0:
            stop("pip could not install {}; run make again".format(", ".join(names)))


def find_python(wanted):
    """A plain Python of a supported version, or of the wanted one: this one, or a newer or older
    one on the PATH or among pyenv's."""
    tried = []
    pyenv = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    others = sorted(glob.glob(os.path.join(pyenv, "versions", "*", "bin", "python")))
    on_path = ["python3.13", "python3.12", "python3.11", "python3"]
    for name in [sys.executable, *on_path, *others]:
        path = shutil.which(name)
        if path is None:
            continue
        version = version_of(path)
        if version and fits(version, wanted):
            return path, ".".join(map(str, version))
        if version:
            tried.append(path + " is " + ".".join(map(str, version)))
    needed = wanted or "3.11, 3.12 or 3.13"
    say(f"Python {needed} is needed, and there is none ({'; '.join(tried)})")
    stop("install one, or name it: make PYTHON=/path/to/python{} ...".format(wanted or "3.12"))


def fits(version, wanted):
    """Whether a Python, as [3, 13, 0], is one that vdjax runs on, and the wanted one, as "3.13"."""
    if wanted and wanted != "{}.{}".format(*version):
        return False
    return OLDEST <= tuple(version[:2]) <= NEWEST


def fault_of(python, wanted):
    """Why an environment's Python cannot be used, or nothing."""
    if not python.exists():
        return f"it has no {shown(python)}"
    version = version_of(python)
    if not version:
        return "its Python does not start"
    if not fits(version, wanted):
        return "its Python is {}.{}.{}".format(*version)
    if run(python, "-m", "pip", "--version") and run(python, "-m", "uv", "--version"):
        return "it has neither pip nor uv"
    return ""


def version_of(python):
    ask = "import sys; print(*sys.version_info[:3])"
    try:
        said = subprocess.check_output([str(python), "-c", ask], stderr=subprocess.DEVNULL)
        return [int(part) for part in said.split()]
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None


def run(*command):
    """Run quietly; return the last thing said if it failed, else nothing."""
    command = [str(part) for part in command]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError as error:
        return str(error)
    if done.returncode == 0:
        return ""
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"exit status {done.returncode}"


def read_stamp(venv):
    try:
        stamp = json.loads((venv / STAMP).read_text())
        return stamp if isinstance(stamp, dict) else {}
    except (OSError, ValueError):
        return {}


def checksum(name):
    return hashlib.sha256((ROOT / name).read_bytes()).hexdigest()


def remove(path):
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(str(path))


def shown(path):
    return os.path.relpath(str(path))


def say(text):
    print("vdjax: " + text, flush=True)


def stop(text):
    print("vdjax: " + text, file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="environment.py")
    parser.add_argument("venv", type=os.path.abspath)
    parser.add_argument("extras", nargs="*")
    parser.add_argument("--python", dest="version", default="", metavar="3.13")
    parser.add_argument("--from", dest="source", default="", metavar="FILE")
    parser.add_argument("--newest", action="store_true")
    options = vars(parser.parse_args())
    try:
        main(Path(options.pop("venv")), options.pop("extras"), **options)
    except OSError as error:
        stop(f"cannot make the environment: {error}")
    except KeyboardInterrupt:
        stop("stopped; run make again, it goes on from there")
