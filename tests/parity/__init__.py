"""Google's own client beside ours; run by `nox -s parity`."""
