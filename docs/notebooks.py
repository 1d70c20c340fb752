"""The notebooks, each run from end to end: `make notebooks`.

`python docs/notebooks.py` runs them as they stand, with nothing kept of what they print.
"""

import tempfile
from pathlib import Path

import nbclient
import nbformat

FOLDER = Path(__file__).parents[1] / "notebooks"


def main() -> None:
    """Run every notebook in an empty folder; a cell that fails ends it with its traceback."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as temp:
            nbclient.NotebookClient(notebook, resources={"metadata": {"path": temp}}).execute()
        print(f"{path.name}: {len(notebook.cells)} cells")


if __name__ == "__main__":
    main()
