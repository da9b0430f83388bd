"""Make .venv ready from the locks: `python3 tools/bootstrap.py run|dev`. Every failure is one line.

Written for any Python 3, so that an old one is told what it lacks.
"""

import hashlib
import os
import subprocess
import sys

FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(FOLDER, ".venv")


def stop(text):
    """End with one line that says what to do."""
    sys.stderr.write("labhub: " + text + "\n")
    sys.exit(1)


def read(name):
    """Return the bytes of a file of the project."""
    with open(os.path.join(FOLDER, name), "rb") as file:
        return file.read()


def stamp_of(kind):
    """Return what the installed set depends on: locks, Python, place."""
    digest = hashlib.sha256()
    for name in ("requirements/run.txt", "requirements/%s.txt" % kind):
        digest.update(read(name))
    digest.update(("%s %s" % (sys.version, FOLDER)).encode())
    return digest.hexdigest()


def is_ready(kind):
    """Whether the set, or the larger one, is installed already."""
    for larger in ("run", "dev") if kind == "run" else ("dev",):
        path = os.path.join(VENV, ".labhub-" + larger)
        if os.path.exists(path):
            with open(path) as file:
                if file.read() == stamp_of(larger):
                    return True
    return False


def pip(*arguments):
    """Run pip quietly; on failure show its last lines and stop."""
    command = [os.path.join(VENV, "bin", "python"), "-m", "pip", "--disable-pip-version-check", "-q"]
    done = subprocess.run(
        command + list(arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True
    )
    if done.returncode != 0:
        lines = [line for line in done.stdout.splitlines() if line.strip() and "WARNING" not in line]
        stop(
            "the packages could not be installed: %s Check the network and the package index of pip, "
            "then run make again." % (lines[-1] if lines else "pip failed.")
        )


def main(kind):
    """Check this machine, then install what the lock says."""
    if sys.version_info < (3, 11):
        stop(
            "Python %d.%d is too old: labhub needs 3.11 or newer. Install one: make %s PYTHON=python3.11"
            % (sys.version_info[0], sys.version_info[1], "run" if kind == "run" else "test")
        )
    if is_ready(kind):
        return
    try:
        import ensurepip  # noqa: F401
        import venv
    except ImportError:
        stop("the Python module venv is missing. Install it: apt-get install python3-venv")
    if not os.access(FOLDER, os.W_OK):
        stop("%s cannot be written by this user. Change its owner, or copy the project elsewhere." % FOLDER)
    print("Installing labhub's packages into .venv (about a minute the first time) …", flush=True)
    try:
        venv.create(VENV, with_pip=True, clear=os.path.exists(VENV), symlinks=True)
    except (OSError, subprocess.CalledProcessError) as error:
        stop(".venv could not be made (%s). Free some disk space or check the permissions." % error)
    pip("install", "--require-hashes", "-r", os.path.join(FOLDER, "requirements", kind + ".txt"))
    pip("install", "--no-deps", "--no-build-isolation", "-e", FOLDER)
    with open(os.path.join(VENV, ".labhub-" + kind), "w") as file:
        file.write(stamp_of(kind))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "run")
