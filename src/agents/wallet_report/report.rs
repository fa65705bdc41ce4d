//! What Wallet Report answers: plain data, the same on both sides of the wire, all of one block.
//!
//! Everything of 256 bits is decimal text, so that no reader of the JSON loses a digit; nothing is rounded.

use crate::agents::explanation::Explanation;
use serde::{Deserialize, Serialize};

pub use crate::agents::sheet::Severity;

/// What an address is, holds and lets others take, at one block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Report {
    /// What made the answer: always `computed`. No language model has a part in it; what one says of it is in `explanation`.
    pub engine: String,
    /// All of it in one sentence.
    pub summary: String,
    /// The address that was asked about, in lower case.
    pub address: String,
    /// The network it was read on, CAIP-2.
    pub network: String,
    /// The block that every figure is of.
    pub block: Block,
    pub account: Account,
    /// The network's own coin.
    pub native: Native,
    /// Of an account: transactions that it sent (and delegations that it signed). Of a contract: contracts that it made, counted from 1.
    pub nonce: u64,
    /// What the network keeps back of the coin; absent where it keeps nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve: Option<Reserve>,
    /// Tokens that were looked at: known ones first, then those given, then those seen in recent transfers.
    pub tokens: Vec<Token>,
    /// Who was asked about.
    pub spenders: Vec<Spender>,
    /// Who may take what; pairs with nothing allowed are left out.
    pub allowances: Vec<Allowance>,
    /// False where Permit2's own allowances could not be asked: it is not on this network, or does not tell.
    pub permit2_answers: bool,
    pub activity: Activity,
    /// Anything that its owner should know, the worst first.
    pub findings: Vec<Finding>,
    /// The report in plain words, by the shop's language model; absent where there is none. No fact is only here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Block {
    pub number: u64,
    pub hash: String,
    /// Unix seconds.
    pub time_s: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// No code: whoever has its key acts for it.
    Plain,
    /// A key's account that runs a contract's code (EIP-7702).
    Delegated,
    Contract,
}

/// What the address is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Account {
    pub kind: Kind,
    /// The same in words.
    pub words: String,
    /// Bytes of its own code.
    pub code_bytes: u32,
    /// Whose code it runs: of a delegated account or a proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<String>,
    /// What names that code: `EIP-7702`, `EIP-1167`, `EIP-1967`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Who acts for it together, where it answers as Safe does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
    /// How many of `owners` have to agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u32>,
    /// What `owner()` answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// It signs by contract (ERC-1271): it answers so, or its code names that function.
    pub erc1271: bool,
    /// What `entryPoint()` answers (ERC-4337).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_point: Option<String>,
    /// It answers as a token itself.
    pub token: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Native {
    pub symbol: String,
    pub decimals: u8,
    /// In the smallest unit.
    pub balance: String,
    /// The same as a person reads it, exact: `1.5 MON`.
    pub shown: String,
}

/// Coin that the network does not let an account spend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Reserve {
    /// In the smallest unit.
    pub amount: String,
    /// It always holds for this account; otherwise only where it sent something in the last blocks.
    pub always: bool,
    /// In the smallest unit: what is above it.
    pub above: String,
    /// What that means for this account.
    pub words: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    Known,
    Given,
    /// In recent transfers: anybody can send anything, so this vouches for nothing.
    Seen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Standard {
    Erc20,
    /// The balance is a number of pieces.
    Erc721,
    /// Balances are by piece and not counted here.
    Erc1155,
    /// It does not answer as a token.
    None,
}

/// A token contract, as it describes itself. Its symbol is its maker's choice and proves nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Token {
    pub address: String,
    pub origin: Origin,
    pub standard: Standard,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimals: Option<u8>,
    /// In the smallest unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<String>,
    /// The balance as a person reads it, exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
    /// It carries the name of a known token, or of the network's coin, and is another.
    pub pretends: bool,
    /// What is odd about its answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Token {
    /// The symbol, or the address by its ends.
    pub fn title(&self) -> String {
        match &self.symbol {
            Some(symbol) if self.pretends => format!("false {symbol}"),
            Some(symbol) => symbol.clone(),
            None => short(&self.address),
        }
    }
}

/// Somebody who may have been allowed to take tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Spender {
    pub address: String,
    /// Of those that are well known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// There is a contract's code at its address.
    pub contract: bool,
}

impl Spender {
    /// The name, or the address by its ends.
    pub fn title(&self) -> String {
        self.name.clone().unwrap_or_else(|| short(&self.address))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// The token's own allowance.
    Token,
    /// Permit2's, which holds as far as the token's allowance for Permit2 goes.
    Permit2,
    /// All pieces of a collection (`setApprovalForAll`).
    Operator,
}

/// What one spender may take of one token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Allowance {
    pub token: String,
    pub spender: String,
    pub via: Via,
    /// In the smallest unit; absent for an operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// As a person reads it: `25 USDC`, `unlimited`.
    pub shown: String,
    /// More than there ever will be of it.
    pub unlimited: bool,
    /// Permit2: Unix seconds until which it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_s: Option<u64>,
    /// Permit2: how many signed permits this pair has had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<u64>,
    /// It can be used at this block; otherwise `note` says why not.
    pub usable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Token transfers from and to the address in the last blocks, as far back as the node tells at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Activity {
    /// Blocks that were looked at, back from the report's own: none where the node tells no logs.
    pub blocks: u64,
    /// The oldest of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_block: Option<u64>,
    /// How far it was looked, and why no further.
    pub words: String,
    pub received: u32,
    pub sent: u32,
    /// The newest of them, newest first: 40 at most.
    pub transfers: Vec<Transfer>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Transfer {
    pub block: u64,
    pub transaction: String,
    pub token: String,
    /// It went to the address; otherwise it left it.
    pub received: bool,
    /// Who sent it, or got it.
    pub other: String,
    /// Of an ERC-20: in the smallest unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// Of an ERC-721: which piece.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub piece: Option<String>,
    /// As a person reads it.
    pub shown: String,
}

/// Something worth knowing, and what it stands on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Finding {
    pub severity: Severity,
    /// One sentence.
    pub title: String,
    /// Why we say so, and what to do.
    pub detail: String,
    /// Addresses that it is about.
    pub about: Vec<String>,
}

/// An address by its ends: `0x1234…cdef`.
pub fn short(address: &str) -> String {
    match (address.get(..6), address.get(address.len().saturating_sub(4)..)) {
        (Some(head), Some(tail)) if address.len() > 14 => format!("{head}…{tail}"),
        _ => address.to_owned(),
    }
}
