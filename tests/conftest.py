"""What has to be settled before napari is imported."""

import os
import tempfile
from pathlib import Path

# The user's own settings stay as they are, and a layer touched off the main thread is an error.
os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp(prefix="napari-nst-")) / "settings.yaml")
os.environ["NAPARI_ENSURE_PLUGIN_MAIN_THREAD"] = "1"
