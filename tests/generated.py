"""`python tests/generated.py` writes tests/surface.txt, docs/options.md and docs/reference.md, as the code is now."""

import subprocess
import sys
from pathlib import Path

WRITERS = ("test_surface.py", "test_options_page.py", "test_reference.py")

if __name__ == "__main__":
    for writer in WRITERS:
        subprocess.run([sys.executable, Path(__file__).with_name(writer)], check=True)
