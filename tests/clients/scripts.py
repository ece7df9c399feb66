"""For tests: runs a vendor's own SDK, by the scripts beside this file."""

import json
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent


def missing(*packages):
    """Why the scripts cannot run here; None when they can."""
    if shutil.which("node") is None:
        return "there is no node"
    for package in packages:
        if not (HERE / "node_modules" / package / "package.json").exists():
            return f"{package} is not installed: './dev test' does it where npm answers"
    return None


def start(script, url, key, **named):
    arguments = [f"{name}={value}" for name, value in named.items()]
    return subprocess.Popen(["node", str(HERE / script), url, key, *arguments], stdout=subprocess.PIPE, text=True)


def result(process, seconds=90):
    """What the script says about itself: {client, sent, delivered, failed, firstError}."""
    try:
        text, _ = process.communicate(timeout=seconds)
    finally:
        process.kill()
    return json.loads(text.splitlines()[-1])
