//! Leases a held run, does the work, stores the answer.
