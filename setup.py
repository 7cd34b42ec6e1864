"""The wheel holds the cards and presets of datasets/ too, as translate/datasets; all else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithDatasets(build_py):
    """Copies the cards and presets beside the modules. An editable installation finds those of the checkout."""

    def run(self) -> None:
        """Build the modules, then copy."""
        super().run()
        if self.editable_mode:
            return
        for source in sorted(Path("datasets").glob("*/*.yaml")):
            target = Path(self.build_lib) / "translate" / source
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


setup(cmdclass={"build_py": BuildWithDatasets})
