//! The EIP-4361 message: the page writes it, the server reads it with the `siwe` crate.

use crate::evm::Address;

/// What the wallet signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// `location.host`, with its port: wallets warn where it differs.
    pub domain: String,
    /// EIP-55 checksummed in the text, as the EIP demands: wallets give it so in `eth_requestAccounts`' answer, or lower case.
    pub address: String,
    /// `location.origin`
    pub uri: String,
    pub chain_id: u64,
    pub nonce: String,
    /// RFC 3339, UTC.
    pub issued_at: String,
    pub expiration_time: String,
}

/// What `POST /api/session` takes.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct SignedIn {
    pub message: String,
    /// `0x` and 130 hexadecimal digits; or as many as a contract takes (ERC-1271, ERC-6492), 8192 at most.
    pub signature: String,
}

/// What `POST /api/session/nonce` answers. The server writes everything that has to be exact, so that the page needs no hash function:
/// the page sends its address and gets the checksummed one.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Nonce {
    pub nonce: String,
    /// RFC 3339, UTC: the server's clock, not the visitor's.
    pub issued_at: String,
    pub expiration_time: String,
    /// The network that was sent along (`{"chainId": 143}`, optional), if the shop is there, else its first: a contract's signature is asked about there.
    pub chain_id: u64,
    /// The address that was sent along (`{"address": "0x…"}`, optional), with its EIP-55 checksum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// Said in the wallet.
pub const STATEMENT: &str = "Sign in to Coinslot. It costs nothing and moves no money.";

impl SignIn {
    /// The EIP-4361 text.
    pub fn text(&self) -> String {
        format!(
            "{} wants you to sign in with your Ethereum account:\n{}\n\n{STATEMENT}\n\nURI: {}\nVersion: 1\nChain ID: {}\nNonce: {}\nIssued At: {}\nExpiration Time: {}",
            self.domain, self.address, self.uri, self.chain_id, self.nonce, self.issued_at, self.expiration_time
        )
    }
}

/// The wallet's address, for whoever compares it.
pub fn address_of(text: &str) -> Option<Address> {
    text.parse().ok()
}
