//! A payment that is a signature: the token's balance, and the wallet's question. Nothing is sent, so that there is no network fee.

use super::{chain, fault::Asked, funds, provider::Connection};
use crate::{
    error::{CallError, Code},
    evm::Address,
    money::Money,
    network::Network,
};

/// Reads the payer's balance of the token, from the wallet's own node, and says no with numbers (B5). The wallet would not: it signs what it is given.
///
/// # Errors
/// Too little, or a node that does not answer.
pub async fn prepare(
    wallet: &Connection,
    network: &Network,
    token: Address,
    payer: Address,
    price: &Money,
) -> Result<(), CallError> {
    let balance = wallet.quantity("eth_call", &funds::balance_json(token, payer)).await?;
    funds::may_sign(network, balance, price)
}

/// Opens the wallet's signature question for `typed_data` (EIP-712, JSON text) and gives the signature.
///
/// # Errors
/// [`Code::PaymentCancelled`] for a no. After any error nothing was charged: a signature that nobody has moves nothing.
pub async fn sign(wallet: &Connection, network: &Network, payer: Address, typed_data: &str) -> Result<String, CallError> {
    let quoted = serde_json::to_string(typed_data).map_err(|_| Code::Internal)?;
    match wallet.ask(Asked::Authorize, "eth_signTypedData_v4", &format!(r#"["{payer}",{quoted}]"#)).await {
        Ok(signature) => signature.as_string().ok_or_else(|| Code::WalletFailed.into()),
        Err(error) if error.code == Code::WalletFailed => {
            // It refuses what is for another chain or account with an error that says neither: both may have changed since we looked (B15).
            chain::unchanged(wallet, network, payer).await?;
            Err(error)
        }
        Err(error) => Err(error),
    }
}
