"""Which Party used what, when and through which door: the append-only ledger of downloads."""
