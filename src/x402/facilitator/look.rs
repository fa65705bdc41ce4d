//! What became of an authorization, as the chain says: ours, a front-runner's, one from before a crash.

use crate::{
    chain::{At, Chain, Seen, Unavailable},
    evm::TxHash,
    x402::authorization::Authorization,
};

/// Looks at the newest block to answer fast, or at the newest final one for the books.
///
/// `hash`: the transaction that was sent for it, if one is known. `since_block`: the newest block when it was first shown
/// here; where `hash` does not tell, its use is searched from there.
///
/// # Errors
/// No node could tell all of it: unknown, to be asked again.
pub async fn look(
    chain: &Chain,
    authorization: &Authorization,
    hash: Option<TxHash>,
    since_block: u64,
    at: At,
) -> Result<Seen, Unavailable> {
    look_past(chain, authorization, hash, since_block, &[], at).await
}

/// The same, past transactions that are known to have paid for others only.
///
/// # Errors
/// The same.
pub async fn look_past(
    chain: &Chain,
    authorization: &Authorization,
    hash: Option<TxHash>,
    since_block: u64,
    but: &[TxHash],
    at: At,
) -> Result<Seen, Unavailable> {
    chain.look_past(&authorization.transfer(), hash, since_block, but, at).await
}
