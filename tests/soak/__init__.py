"""Many jobs through one session, while things go wrong now and then: nothing of them may stay behind."""
