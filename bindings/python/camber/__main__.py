"""``python -m camber doctor``: a saved function, run on saved inputs, and what there is to say about it."""

import sys

from .doctor import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
