//! Sessions, by the hash of their token, and the sign-in nonces that were used.

use super::store::{Books, Result};
use crate::evm::Address;

impl Books {
    pub async fn start_session(&self, _token_sha256: &str, _wallet: Address, _now_ms: i64, _until_ms: i64) -> Result<()> {
        todo!()
    }

    /// The wallet of a session that has not ended, and when it will.
    pub async fn session(&self, _token_sha256: &str, _now_ms: i64) -> Result<Option<(Address, i64)>> {
        todo!()
    }

    pub async fn end_session(&self, _token_sha256: &str) -> Result<()> {
        todo!()
    }

    /// `false`: it was used before. Kept until `until_ms`, when the nonce itself is too old.
    pub async fn spend_nonce(&self, _nonce: &str, _now_ms: i64, _until_ms: i64) -> Result<bool> {
        todo!()
    }

    /// Rows that time has made useless: ended sessions, old nonces, ended watches without an arrival.
    pub async fn sweep(&self, _now_ms: i64) -> Result<()> {
        todo!()
    }
}
