"""`python -m tocsin`, and the script `tocsin`."""

import gc

gc.disable()  # loading modules leaves nothing to collect; a command that stays turns it on again

from tocsin.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
