"""Run the tests of this folder under other versions of Anki: `python tests/anki/matrix.py 24.11 [25.9 …]`.

Each version has a virtual environment of its own, made once (under `.cache/` beside this file, or at `--env`)
and used again until the requirements change. What follows `--` goes to pytest. Ends with pytest's status where
a test fails, and with 2 where an environment cannot be made.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
STAMP = "installed-for-proofdeck.txt"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("versions", nargs="+", metavar="VERSION", help="version of the `anki` package")
    parser.add_argument("--env", type=Path, help="virtual environment to make or use (one version only)")
    own, _, rest = _split(sys.argv[1:])
    chosen = parser.parse_args(own)
    if chosen.env and len(chosen.versions) > 1:
        parser.error("--env serves one version")
    worst = 0
    for version in chosen.versions:
        if not re.fullmatch(r"\d+(\.\d+)+", version):
            parser.error(f"`{version}` is no version; write for example 24.11")
        folder = (chosen.env or HERE / ".cache" / f"anki-{version}").resolve()
        try:
            python = environment(folder, version)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"Anki {version}: no environment: {error}", file=sys.stderr)
            return 2
        print(f"Anki {version}: {python}", flush=True)
        worst = (
            worst
            or subprocess.run(
                [python, "-m", "pytest", "-q", str(HERE), *rest], cwd=ROOT, check=False
            ).returncode
        )
    return worst


def _split(arguments: list[str]) -> tuple[list[str], str, list[str]]:
    if "--" not in arguments:
        return arguments, "", []
    cut = arguments.index("--")
    return arguments[:cut], "--", arguments[cut + 1 :]


def environment(folder: Path, version: str) -> Path:
    """Return the Python of a virtual environment that holds this Anki, pytest and proofdeck."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = requirements(version)
    stamp = folder / STAMP
    if not python.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.parent == HERE / ".cache":
            (folder.parent / ".gitignore").write_text("*\n")
        venv.create(folder, with_pip=True)
    if not stamp.exists() or stamp.read_text() != "\n".join(wanted):
        subprocess.run(
            [
                python,
                "-m",
                "pip",
                "install",
                "-qq",
                "--disable-pip-version-check",
                *wanted[:-1],
                "--editable",
                str(ROOT),
            ],
            check=True,
        )
        stamp.write_text("\n".join(wanted))
    # tests skip where Anki cannot be imported; here that is a failure
    ask = "from anki.buildinfo import version; import anki.collection, proofdeck; print(version)"
    found = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout.strip()
    if _numbers(found) != _numbers(version):
        raise OSError(f"{folder} holds Anki {found}")
    return python


def requirements(version: str) -> list[str]:
    """Return what pip is to install; the last line stands for proofdeck and what it needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tools = [name for name in project["optional-dependencies"]["test"] if name.startswith("pytest")]
    return [f"anki=={version}", *tools, " ".join(sorted(project["dependencies"]))]


def _numbers(version: str) -> list[int]:
    numbers = [int(number) for number in version.split(".")]
    return numbers + [0] * (3 - len(numbers))


if __name__ == "__main__":
    sys.exit(main())
