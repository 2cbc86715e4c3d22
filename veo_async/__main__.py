"""`python -m veo_async` is `veo-async`."""

import sys

from veo_async.cli import main

if __name__ == "__main__":
    sys.exit(main())
