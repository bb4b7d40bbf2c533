"""`python tests/generated.py` writes from the code tests/surface.txt, tests/layouts.txt, two pages of docs."""

import subprocess
import sys
from pathlib import Path

WRITERS = ("test_surface.py", "test_layouts.py", "test_options_page.py", "test_reference.py")

if __name__ == "__main__":
    for writer in WRITERS:
        subprocess.run([sys.executable, Path(__file__).with_name(writer)], check=True)
