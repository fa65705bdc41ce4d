//! What MetaMask does on Monad without being asked, on the demo's chain: the account lends itself a contract's code (EIP-7702) with its first
//! payment, and a relayer sends the payment and bears the gas. It lands as the relayer's transaction to the account, without value; the coin moves in
//! an inner call.

use alloy::{
    eips::eip7702::Authorization,
    primitives::U256,
    signers::{SignerSync, local::PrivateKeySigner},
};
use serde_json::{Value, json};

use super::{
    CHAIN_ID, WALLET,
    node::{Node, NodeError},
};
use crate::{
    evm::{Address, TxHash},
    money::Amount,
};

/// Of the demo wallet: the chain node's second account, from the mnemonic that every such node prints. Nobody's secret.
const WALLET_KEY: [u8; 32] = [
    0x59, 0xc6, 0x99, 0x5e, 0x99, 0x8f, 0x97, 0xa5, 0xa0, 0x04, 0x49, 0x66, 0xf0, 0x94, 0x53, 0x89, 0xdc, 0x9e, 0x86, 0xda, 0xe8,
    0x8c, 0x7a, 0x84, 0x12, 0xf4, 0x60, 0x3b, 0x6b, 0x78, 0x69, 0x0d,
];

/// The node's seventh account, which bears the gas.
const RELAYER: &str = "0x976ea74026e726554db657fa54763abd0c3a0aa9";

/// Where the code is that the account lends itself.
const DELEGATE: Address = Address(*b"\xd0\x15\x70\x70relay's code\xd0\x15\x70\x70");

/// Called by the relayer alone, with an address and an amount as two words, it pays; called with nothing, it takes what came along.
const CODE: &str =
    "0x36156034573373976ea74026e726554db657fa54763abd0c3a0aa9146022575f5ffd5b5f5f5f5f6020355f355af16034575f5ffd5b00";

/// More than the signature, two calls and an account that is new to the chain take.
const GAS: &str = "0x30d40";

/// Puts the code there. Twice is once.
pub async fn deploy(node: &Node) -> Result<(), NodeError> {
    node.call("anvil_setCode", json!([DELEGATE, CODE])).await.map(drop)
}

/// Pays `value` wei from the demo wallet to `to`, as the relayer's transaction. Its hash, which a block may not include yet.
pub async fn pay(node: &Node, to: Address, value: Amount) -> Result<TxHash, NodeError> {
    let code = node.call("eth_getCode", json!([WALLET, "latest"])).await?;
    let words = [word(to), value.to_be_bytes()];
    let data: String = words.as_flattened().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut transaction = json!({ "from": RELAYER, "to": WALLET, "gas": GAS, "data": format!("0x{data}") });
    if code == "0x" {
        transaction["type"] = json!("0x4");
        transaction["authorizationList"] = json!([authorization(node).await?]);
    }
    let hash = node.put(transaction).await?;
    hash.parse().map_err(|_| refused("no hash"))
}

/// The account's own word that it lends itself the code.
async fn authorization(node: &Node) -> Result<Value, NodeError> {
    let nonce = node.call("eth_getTransactionCount", json!([WALLET, "pending"])).await?;
    let nonce = nonce.as_str().and_then(|nonce| u64::from_str_radix(nonce.trim_start_matches("0x"), 16).ok());
    let nonce = nonce.ok_or_else(|| refused("no count of transactions"))?;
    let authorization = Authorization { chain_id: U256::from(CHAIN_ID), address: DELEGATE.0.into(), nonce };
    let signer = PrivateKeySigner::from_slice(&WALLET_KEY).map_err(|cause| refused(&cause.to_string()))?;
    let signature = signer.sign_hash_sync(&authorization.signature_hash()).map_err(|cause| refused(&cause.to_string()))?;
    Ok(json!({
        "chainId": format!("{CHAIN_ID:#x}"), "address": DELEGATE, "nonce": format!("{nonce:#x}"),
        "yParity": if signature.v() { "0x1" } else { "0x0" },
        "r": format!("{:#x}", signature.r()), "s": format!("{:#x}", signature.s()),
    }))
}

fn refused(cause: &str) -> NodeError {
    NodeError::Refused { method: "the relayed payment".to_owned(), cause: cause.to_owned() }
}

fn word(address: Address) -> [u8; 32] {
    let mut word = [0; 32];
    word[12..].copy_from_slice(&address.0);
    word
}
