//! What Tx Explainer answers. Lists are flat and bounded, and every wording is made where the facts are: the page only places it.

use serde::{Deserialize, Serialize};

use crate::agents::explanation::Explanation;
pub use crate::agents::sheet::{Note, Severity};

/// What a transaction did, would do, or failed to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Report {
    /// `computed`: no language model had a part in it.
    pub engine: String,
    /// The whole in one sentence.
    pub summary: String,
    pub status: Status,
    /// CAIP-2, where the report is about one: `eip155:10143`.
    pub network: Option<String>,
    /// What to look at, the worst first.
    pub warnings: Vec<Note>,
    /// Left out for call data alone.
    pub transaction: Option<Transaction>,
    pub fee: Option<Fee>,
    /// Why it reverted.
    pub failure: Option<Failure>,
    /// What changed hands; for what has not happened, what it asks for.
    pub transfers: Vec<Transfer>,
    pub flow: Flow,
    /// Who may take what from now on.
    pub approvals: Vec<Approval>,
    /// The call and the calls inside it, each before its own inner ones.
    pub calls: Vec<Call>,
    /// What contracts wrote down, transfers and approvals too.
    pub events: Vec<Event>,
    /// How many more there were of each list than are told here.
    pub left_out: LeftOut,
    /// The report in plain words, by the shop's language model; absent where there is none. No fact is only here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Success,
    Reverted,
    /// Known, in no block yet.
    Pending,
    /// Signed, and unknown to the network that is paid on.
    NotFound,
    /// Not signed, or for another network: nobody was asked about it.
    Unsent,
    /// Call data alone.
    CallData,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Transaction {
    /// Where it is signed.
    pub hash: Option<String>,
    /// EIP-2718: 0, 1, 2, 3 or 4.
    pub kind: u8,
    pub kind_words: String,
    pub chain_id: Option<u64>,
    pub from: Option<String>,
    /// `None`: it creates a contract.
    pub to: Option<String>,
    pub created: Option<String>,
    pub nonce: u64,
    pub value: Sum,
    pub gas_limit: u64,
    /// Wei for one unit of gas, as the transaction offers it (types 0 and 1).
    pub gas_price: Option<String>,
    /// Wei for one unit of gas, at most (types 2, 3 and 4).
    pub max_fee_per_gas: Option<String>,
    /// Wei for one unit of gas that go to whoever makes the block.
    pub max_priority_fee_per_gas: Option<String>,
    /// Bytes of call data, or of the code that creates a contract.
    pub data_bytes: u64,
    /// Addresses in its access list.
    pub access_list: u32,
    /// Blobs that it carries (type 3).
    pub blobs: u32,
    pub block: Option<u64>,
    /// Its place in the block.
    pub index: Option<u64>,
    /// Unix milliseconds of its block.
    pub time_ms: Option<i64>,
    pub finality: Option<Finality>,
    /// Blocks on top of its own.
    pub confirmations: Option<u64>,
}

/// How sure it is that the block stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Finality {
    /// In a block that may still vanish.
    Latest,
    /// Voted for; it is very unlikely to vanish.
    Safe,
    Finalized,
}

/// An exact amount with its asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Sum {
    /// Of the asset's smallest unit, in decimal.
    pub amount: String,
    /// `eip155:143/native`, `eip155:143/erc20:0x…`; where the network is not known, `native` or the token's address.
    pub asset: String,
    /// As a person reads it: `12 USDC`.
    pub words: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Fee {
    /// What was paid.
    pub paid: Option<Sum>,
    /// What it can cost at most, for what has not happened.
    pub most: Option<Sum>,
    pub gas_limit: u64,
    pub gas_used: Option<u64>,
    /// Which of the two is charged: Monad charges the limit.
    pub charged: Charged,
    /// Wei for one unit of gas, as charged.
    pub gas_price: Option<String>,
    /// How the figure comes about.
    pub words: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Charged {
    GasLimit,
    GasUsed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Failure {
    pub kind: FailureKind,
    /// In a sentence.
    pub reason: String,
    /// `Error(string)`, `Panic(uint256)`, or the custom error's own.
    pub signature: Option<String>,
    pub arguments: Vec<Argument>,
    /// What the code left behind, as it is; the beginning of it where it is long.
    pub data: Option<String>,
    /// The contract whose code failed first, where a trace tells.
    pub at: Option<String>,
    pub source: FailureSource,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// `require(…, "words")`
    Error,
    /// A check of the compiler's own.
    Panic,
    /// An error that the contract defines.
    Custom,
    OutOfGas,
    /// It reverted and left nothing behind.
    Empty,
    /// An instruction that cannot run, a stack or memory that does not suffice.
    Invalid,
    /// It could not be found out.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FailureSource {
    /// The node's trace of this very transaction.
    Trace,
    /// The same call, run again on the state before its block.
    Replay,
    /// No node told.
    None,
}

/// Something changed hands, or is asked to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Transfer {
    pub standard: Standard,
    /// `sender`, where only call data is known.
    pub from: String,
    pub to: String,
    pub sum: Sum,
    /// The contract of what changed hands; `None` for the network's own coin, and where call data does not say whom it is sent to.
    pub token: Option<String>,
    /// Which one of its kind (ERC-721, ERC-1155), in decimal.
    pub id: Option<String>,
    pub basis: Basis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Standard {
    Native,
    Erc20,
    Erc721,
    Erc1155,
    Permit2,
    Eip7702,
}

/// What a line stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The transaction's own fields.
    Transaction,
    /// An event in its receipt.
    Event,
    /// A call in the node's trace.
    Trace,
    /// What the call asks for: whether it happens is another matter.
    CallData,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Approval {
    pub standard: Standard,
    /// Whose it is; `sender`, where only call data is known.
    pub owner: String,
    /// Who may take it. For EIP-7702: whose code the account runs.
    pub spender: String,
    pub token: Option<String>,
    pub allows: Allows,
    /// How much; `None` where that is no amount.
    pub sum: Option<Sum>,
    /// Which one (ERC-721), in decimal.
    pub id: Option<String>,
    /// Unix seconds, where it ends by itself.
    pub until: Option<u64>,
    /// `an unlimited amount of USDC`, `everything the owner has of Ticket`, `nothing of USDC any more`.
    pub words: String,
    pub basis: Basis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Allows {
    /// More than there will ever be.
    Unlimited,
    /// All of a collection.
    All,
    /// So much, or this one.
    Bounded,
    /// What was allowed before is taken back.
    Nothing,
    /// Whatever the account can do (EIP-7702).
    Account,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Call {
    /// 0 for the transaction's own.
    pub depth: u8,
    /// Who is called; `None`: nobody is named, or a contract is created.
    pub to: Option<String>,
    pub value: Option<Sum>,
    /// `0x` and eight digits.
    pub selector: Option<String>,
    /// `transfer(address,uint256)`
    pub signature: Option<String>,
    pub known_by: KnownBy,
    pub arguments: Vec<Argument>,
    /// What is special about it.
    pub note: Option<String>,
}

/// How sure a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum KnownBy {
    /// It is in the ABI that was given.
    Abi,
    /// Well known for its selector or topic, which others may share.
    Selector,
    /// Its words are shown; what they are is guessed.
    Guess,
    /// No function is called: coin is sent, or a contract is created.
    Nothing,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Argument {
    pub name: Option<String>,
    /// `uint256`, `(address,bytes)[]`
    pub kind: String,
    /// Numbers in decimal, bytes and addresses as `0x…`, lists in brackets, tuples in parentheses. Ends with `…` where it was cut.
    pub value: String,
    /// What that is to a person: `unlimited`, `12 USDC`.
    pub note: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Event {
    /// Its place among the transaction's events.
    pub index: u32,
    /// Who wrote it down.
    pub contract: String,
    /// `Transfer(address,address,uint256)`; `None`: unknown.
    pub signature: Option<String>,
    pub topic: Option<String>,
    pub known_by: KnownBy,
    pub arguments: Vec<Argument>,
}

/// The picture of what changed hands: who is in it, and the arrows in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Flow {
    pub parties: Vec<Party>,
    pub moves: Vec<Move>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Party {
    pub address: String,
    /// `sender`, `called contract`, `0x1234…abcd`
    pub label: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Move {
    /// Places in `parties`.
    pub from: u32,
    pub to: u32,
    pub words: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct LeftOut {
    pub transfers: u32,
    pub approvals: u32,
    pub calls: u32,
    pub events: u32,
}
