"""Methods with the same oligos, whatever they are called and in whichever order they stand."""

from collections.abc import Iterable
from hashlib import sha256


def oligo_digest(sequences: Iterable[str]) -> str | None:
    """Return what is equal for equal sets of sequences and differs else; nothing for no oligo.

    Sequences are compared as they are written, 5' to 3'; each counts as often as it stands there.

    >>> oligo_digest(["ACGT", "TTTT"]) == oligo_digest(["TTTT", "ACGT"]) != oligo_digest(["ACGTTTTT"])
    True
    """
    joined = "\n".join(sorted(sequences))
    return sha256(joined.encode()).hexdigest() if joined else None
