"""A `sitecustomize` for processes under test: reading a note that says so ends the process."""

from __future__ import annotations

from pathlib import Path

DIES, HANGS = "Kolofonium", "Terpentin"  # words of the notes
_HOOK = f"""
import os, sys, time
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder

def poisoned(module):
    finish = module.FactsComponent.__call__
    def deadly(self, doc):
        if "{DIES}" in doc.text:
            os._exit(9)
        if "{HANGS}" in doc.text:
            time.sleep(3600)
        return finish(self, doc)
    module.FactsComponent.__call__ = deadly

def hurried(module):
    module.allowed = lambda *notes: 1.0 if any("{HANGS}" in n.text for n in notes) else 600.0

class Hook(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "extraction.notes.batch.trial":
            return self.patched(name, path, target, hurried)
        if name != "extraction.notes.components":
            return None
        return self.patched(name, path, target, poisoned)

    def patched(self, name, path, target, patch):
        spec = PathFinder.find_spec(name, path, target)
        run = spec.loader.exec_module
        def exec_module(module):
            run(module)
            patch(module)
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Hook())
"""


def write(folder: Path) -> Path:
    """Write the hook into a folder that is to stand on PYTHONPATH."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(_HOOK, "utf-8")
    return folder
