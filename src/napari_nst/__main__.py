"""``python -m napari_nst``: the same as ``napari-nst``."""

import sys

from napari_nst.cli import main

if __name__ == "__main__":
    sys.exit(main())
