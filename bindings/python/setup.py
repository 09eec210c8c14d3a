"""Puts the headers and, where it is built, the library beside the package: an installed camber needs no checkout."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parents[2]


class Build(build_py):
    def run(self) -> None:
        super().run()
        package = Path(self.build_lib) / "camber"
        headers = sorted((ROOT / "include").glob("*.h"))
        for source, place in (*((header, "include") for header in headers), (ROOT / "build" / "libcamber.so.0", ".")):
            if source.is_file():
                (package / place).mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, package / place / source.name)


setup(cmdclass={"build_py": Build})
