"""An image takes minutes to build: `tests/image/run` does it, and names the image to these tests."""

import os

collect_ignore_glob = [] if "TOCSIN_IMAGE" in os.environ else ["test_*.py"]
