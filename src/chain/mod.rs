//! The chain: RPC with failover, and following final blocks. It knows no ledger.
