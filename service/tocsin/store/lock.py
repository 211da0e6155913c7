"""One process owns a SQLite file: a second one would take back what the first has claimed, and tell it twice."""

import fcntl
import os

from tocsin.errors import StoreInUse, StoreUnavailable


class Lock:
    """Held until `close`, or until the process is gone, however that ends: it is the kernel's, on a file of its own."""

    def __init__(self, path: str) -> None:
        """Raises StoreInUse where another process has it, StoreUnavailable where there can be no lock."""
        try:
            self._file = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as failure:
            raise StoreUnavailable(f"cannot open the store {path}: {failure.strerror}") from failure
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as failure:
            self.close()
            raise StoreInUse(f"the store {path} is in use by another tocsin") from failure

    def close(self) -> None:
        """Gives it back."""
        os.close(self._file)
