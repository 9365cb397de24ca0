"""What damage makes of a ledger that is read is a sentence."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hrl_core.config import ConfigError, shorten
from hrl_master.ledger import Ledger
from hrl_master.ledger_file import LedgerError, LedgerFault

# Values of other kinds than the ledger writes end wherever they are used first.
DAMAGE = (sqlite3.Error, ValueError, TypeError, LookupError, OverflowError, AttributeError)

WRONG_SQL = 1  # SQLITE_ERROR: a table or column is lost; from Python 3.11 on it is told


@contextmanager
def opened(path: Path) -> Iterator[Ledger]:
    """The ledger of a file to look at; raises ConfigError where some of it cannot be read."""
    with Ledger(path, must_exist=True) as ledger:
        try:
            with read_from(ledger):
                yield ledger
        except LedgerFault as error:
            raise ConfigError(str(error)) from error


@contextmanager
def read_from(ledger: Ledger) -> Iterator[None]:
    """While something is read: raises ConfigError with the file where that is damaged, and
    LedgerFault where it cannot be used now.
    """
    try:
        yield
    except ConfigError:
        raise
    except LedgerError as error:
        lost = getattr(error.__cause__, "sqlite_errorcode", None) == WRONG_SQL
        if isinstance(error, LedgerFault) and not lost:
            raise
        raise ConfigError(f"ledger {ledger.path}: {shorten(str(error))}") from error
    except DAMAGE as error:
        why = f"{type(error).__name__}: {shorten(ascii(str(error))[1:-1])}"
        raise ConfigError(
            f"ledger {ledger.path}: damaged, or not of this version ({why}); move it away"
        ) from error
