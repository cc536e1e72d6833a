"""A worker process: reads one call a line on standard input, makes it, and answers one line
(after one line that says it is ready).

Runs as `python -m proofdeck.evidence.worker ROOT`. It imports content; nothing else in the engine does.
It limits its own memory and sets itself a deadline, so that it ends even if its parent died first.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import traceback
from importlib.machinery import FileFinder, SourceFileLoader
from pathlib import Path
from typing import Any

ENGINE = str(Path(__file__).parents[1])
GRACE = 5.0
"""Seconds after its deadline at which a worker that nobody stopped ends itself."""


class FreshLoader(SourceFileLoader):
    """Compiles content from its source: a byte-code file can be older than an edit of the same second."""

    def get_code(self, fullname: str) -> Any:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def main() -> None:
    root = Path(sys.argv[1]).resolve()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a verifier prints must not mix with the answers
    _follow_parent()
    _prefer_source(root)
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        task = json.loads(line)
        answer = _answer(task) | {"number": task["number"]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _follow_parent() -> None:
    """End with the parent even inside a call that never returns (Linux; elsewhere the deadline does it)."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        if os.getppid() == 1:
            sys.exit(1)


def _prefer_source(root: Path) -> None:
    def hook(path: str) -> FileFinder:
        if not Path(path).resolve().is_relative_to(root) or ".venv" in path or "site-packages" in path:
            raise ImportError
        return FileFinder(path, (FreshLoader, [".py"]))

    sys.path_hooks.insert(0, hook)
    sys.path.insert(0, str(root))
    sys.path_importer_cache.clear()


def _answer(task: dict[str, Any]) -> dict[str, Any]:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, task["timeout"] + GRACE)
    _limit_memory(int(task["memory"]))
    _seed()
    begin = time.perf_counter()
    try:
        answer = _make(task)
    except AssertionError as error:
        answer = {"failed": str(error) or "the property does not hold", "kind": "false"}
    except MemoryError:
        answer = {
            "failed": f"it wanted more than {task['memory'] / 2**30:.3g} GiB of memory",
            "kind": "memory",
        }
    except BaseException as error:  # SystemExit and KeyboardInterrupt are a verifier's fault too
        answer = {"failed": _told(error), "kind": "error"}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return answer | {"seconds": time.perf_counter() - begin}


def _told(error: BaseException) -> str:
    """Say what was raised and where in the content."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(ENGINE)]
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, RuntimeError) and "memory" in text and "alloc" in text:
        return f"it wanted more memory than it may take{where}"
    return text.strip(": ") + where


def _limit_memory(extra: int) -> None:
    """Let the process take `extra` bytes beyond what it holds now; 0 sets no limit (drivers map a lot)."""
    if not extra:
        return
    try:
        import resource

        held = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (held + extra, hard))
    except (ImportError, OSError, ValueError):  # no such limit on this system: the timeout remains
        pass


def _seed() -> None:
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


def _make(task: dict[str, Any]) -> dict[str, Any]:
    module, _, name = task["function"].rpartition(".")
    if task["folder"] == "figures":
        from proofdeck import api
        from proofdeck.draw.svg import style, to_svg

        api.use_records(
            [(r["function"], tuple(r["args"]), r["kwargs"], r["value"], r["stale"]) for r in task["records"]]
        )
        style()
    function = getattr(importlib.import_module(f"{task['folder']}.{module}"), name)
    where = machine(task["device"]) if task.get("device") else None
    result = function(*task["args"], **task["kwargs"])
    if task["folder"] == "figures":
        return {"value": to_svg(result)}
    return {"value": plain(result)} | ({"machine": where} if where else {})


def machine(device: str) -> dict[str, str]:
    """Say what a measurement ran on."""
    import platform

    found = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    if device.startswith("cuda"):
        torch = importlib.import_module("torch")
        found["device"] = torch.cuda.get_device_name(0)
        found["cuda"] = str(torch.version.cuda)
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
            found["driver"] = (
                subprocess.run(query, capture_output=True, text=True, timeout=20)
                .stdout.split("\n")[0]
                .strip()
            )
    else:
        cpu = Path("/proc/cpuinfo")
        names = re.findall(r"model name\s*:\s*(.+)", cpu.read_text()) if cpu.exists() else []
        found["device"] = names[0] if names else platform.processor() or platform.machine()
    return found


def plain(value: Any, depth: int = 0) -> Any:
    """Turn a result into what JSON holds; raise TypeError for what a card cannot show."""
    if isinstance(value, str):
        value.encode()  # half a surrogate pair is no text
        return value
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return float(value)
    if isinstance(value, dict) and depth < 3:
        return {str(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple) and depth < 3:
        return [plain(item, depth + 1) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 and depth < 4:
        return plain(value.item(), depth + 1)
    if hasattr(value, "numerator") and hasattr(value, "denominator"):
        return float(value)
    raise TypeError(f"returned {type(value).__name__}: return a number, a text, a mapping or a list of rows")


if __name__ == "__main__":
    main()
