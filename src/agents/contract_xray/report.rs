//! What Contract X-ray answers: plain data, the same on both sides of the wire, in an order that depends on the code alone.
//!
//! Numbers are 32 bits at most and everything of 256 bits is hexadecimal text, so that no reader of the JSON loses a digit.

use serde::{Deserialize, Serialize};

use crate::agents::explanation::Explanation;

/// What a contract can do, read from its bytecode alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Report {
    /// What made the answer: always `computed`. No language model has a part in it; what one says of it is in `explanation`.
    pub engine: String,
    /// The answer in one sentence or two.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub headline: String,
    /// The address that was asked about; absent where bytecode was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The network that the address was read on, CAIP-2; absent where bytecode was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Anything that a holder or caller should know, the worst first.
    pub findings: Vec<Finding>,
    /// Whom the guarded functions obey, as far as the code tells.
    pub authorities: Vec<Authority>,
    /// How the code hands its calls to other code; absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Proxy>,
    /// The code that was asked about.
    pub contract: Contract,
    /// For a proxy found by its address: the code that it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub implementation: Option<Contract>,
    /// The report in plain words, by the shop's language model; absent where there is none. No fact is only here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
}

/// One piece of runtime bytecode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Contract {
    /// Where it was read; absent where bytecode was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Bytes of runtime code.
    pub code_size: u32,
    /// Keccak-256 of the runtime code, as `EXTCODEHASH` gives it.
    pub code_hash: String,
    /// What the metadata at the code's end says about its compiler; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compiler: Option<Compiler>,
    /// Standards whose functions are all there, by name: `ERC-20`.
    pub interfaces: Vec<String>,
    /// By selector.
    pub functions: Vec<Function>,
    /// By slot, then by byte.
    pub storage: Vec<Variable>,
    /// Where an instruction that can end or replace the contract can be reached, by place in the code.
    pub opcodes: Vec<OpcodeSite>,
    /// False where the code branches more than we follow: what is reported is there, but there may be more.
    pub complete: bool,
}

impl Contract {
    /// A selector says little, its function more.
    pub fn title_of(&self, selector: &str) -> String {
        let function = self.functions.iter().find(|function| function.selector == selector);
        function.map_or_else(|| selector.to_owned(), Function::title)
    }
}

/// From the CBOR metadata that compilers append; an author can remove or forge it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Compiler {
    /// `solc 0.8.26`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Multihash of the source's metadata on IPFS, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipfs: Option<String>,
    /// Compiled with experimental features.
    pub experimental: bool,
}

/// One entry of the dispatcher.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Function {
    /// `0xa9059cbb`
    pub selector: String,
    /// Name and arguments of a well-known function with this selector: `transfer(address,uint256)`. Four bytes can collide: a
    /// hint, never a proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Types as the code decodes them, with commas. A whole word that nothing narrows reads `uint256`, also where it was `bytes32`.
    pub arguments: String,
    pub mutability: Mutability,
    /// Who is let in; absent where we saw no check of the caller on every way to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<Guard>,
}

impl Function {
    /// As a person is told: the signature, or the selector with its arguments.
    pub fn title(&self) -> String {
        self.signature.clone().unwrap_or_else(|| format!("{}({})", self.selector, self.arguments))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mutability {
    Pure,
    View,
    NonPayable,
    Payable,
}

impl Mutability {
    pub fn word(self) -> &'static str {
        match self {
            Self::Pure => "pure",
            Self::View => "view",
            Self::NonPayable => "writes",
            Self::Payable => "payable",
        }
    }
}

/// A check of the caller that every way to a successful end passes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Guard {
    /// The caller is the address that this slot holds.
    Slot {
        /// `0x5`
        slot: String,
        /// Where in the slot the address begins, in bytes from its low end.
        offset: u8,
    },
    /// The caller has an entry in the mapping at this slot: a role, or a list of the allowed.
    Mapping {
        /// `0x5`
        slot: String,
    },
    /// The caller is an address that is written into the code.
    Address {
        /// Zero in code that was never deployed: the constructor writes it.
        address: String,
    },
    /// The caller is the contract: it is called by a function of its own, after a vote or a delay, or by its wallet's owner.
    Itself,
    /// The caller is the address that another contract answers when it is asked.
    Told,
    /// Each way to a successful end passes one of these.
    AnyOf { of: Vec<Guard> },
}

impl Guard {
    pub fn words(&self) -> String {
        match self {
            Self::Slot { slot, .. } => format!("only the address in slot {slot}"),
            Self::Mapping { slot } => format!("only callers with an entry in the mapping at slot {slot}"),
            Self::Address { address } => format!("only {address}"),
            Self::Itself => "only the contract itself".to_owned(),
            Self::Told => "only the address that another contract names".to_owned(),
            Self::AnyOf { of } => {
                let words: Vec<_> = of.iter().map(|guard| guard.words().trim_start_matches("only ").to_owned()).collect();
                format!("only {}", words.join(", or "))
            }
        }
    }
}

/// Bytes of a storage slot that the code uses as one thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Variable {
    /// Without leading zeros: `0x5`.
    pub slot: String,
    /// Of the first byte, from the slot's low end: 0 to 31.
    pub offset: u8,
    /// How many bytes of the slot: 1 to 32.
    pub bytes: u8,
    /// As inferred: `mapping(address => uint256)`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What a known getter or a standard calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Selectors of the functions that read it.
    pub read_by: Vec<String>,
    /// Selectors of the functions that write it.
    pub written_by: Vec<String>,
}

/// An instruction worth knowing about, where a call can reach it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct OpcodeSite {
    /// `DELEGATECALL`
    pub opcode: String,
    /// Byte offset in the runtime code.
    pub offset: u32,
    /// Selectors of the functions that reach it; `fallback` for calls that name none.
    pub reached_by: Vec<String>,
}

/// How code hands its calls on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Proxy {
    pub kind: ProxyKind,
    /// The slot that names the implementation (or the beacon), where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// The beacon that is asked for the implementation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beacon: Option<String>,
    /// Whose code runs. Absent where only the chain could tell, and no address was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub implementation: Option<String>,
    /// EIP-1967's admin, where the chain was asked and there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProxyKind {
    /// EIP-1167 or one of its variants: a clone whose target is written into the code.
    Minimal,
    /// EIP-1967; nothing here tells how it is upgraded.
    Eip1967,
    /// EIP-1967, upgraded by an admin contract.
    Transparent,
    /// Upgraded by its implementation (EIP-1822), which is where EIP-1967 or EIP-1822 puts it.
    Uups,
    /// EIP-1967: it asks a beacon for the implementation.
    Beacon,
    /// The implementation is in a slot that no standard names.
    Slot,
    /// The implementation is chosen by the function that is called (EIP-2535).
    Diamond,
    /// The implementation is written into the code.
    Fixed,
    /// An account that runs a contract's code (EIP-7702).
    Delegation,
}

impl ProxyKind {
    pub fn words(self) -> &'static str {
        match self {
            Self::Minimal => "Minimal proxy (EIP-1167): a clone, fixed for ever",
            Self::Eip1967 => "Proxy (EIP-1967)",
            Self::Transparent => "Transparent proxy (EIP-1967): its admin replaces the code",
            Self::Uups => "UUPS proxy (EIP-1822): the implementation replaces itself",
            Self::Beacon => "Beacon proxy (EIP-1967): a beacon names the code",
            Self::Slot => "Proxy: the code's address is in a slot of its own",
            Self::Diamond => "Diamond (EIP-2535): each function has its own code",
            Self::Fixed => "Forwarder: the code's address is fixed",
            Self::Delegation => "Delegated account (EIP-7702): a wallet that runs a contract's code",
        }
    }
}

/// Whom guarded functions obey.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Authority {
    pub guard: Guard,
    /// Who that is now; absent where the chain was not asked. The zero address: nobody, it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// What only they may call, as a person reads it.
    pub functions: Vec<String>,
}

/// Something worth knowing before trusting the contract, and what it stands on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
pub struct Finding {
    pub severity: Severity,
    pub power: Power,
    /// One sentence.
    pub title: String,
    /// Why we say so.
    pub detail: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub advice: String,
    /// The functions it stands on, as a person reads them.
    pub functions: Vec<String>,
    /// The storage slots it stands on.
    pub slots: Vec<String>,
    /// The instructions it stands on: `DELEGATECALL at 0x1a4`.
    pub opcodes: Vec<String>,
    /// It is the implementation's, not the proxy's own code.
    pub in_implementation: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    High,
    Medium,
    Low,
    Info,
}

impl Severity {
    pub fn word(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::Info => "info",
        }
    }
}

/// What somebody can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Power {
    Upgrade,
    RunAnyCode,
    Destroy,
    TakeOver,
    Mint,
    Burn,
    Block,
    Pause,
    Fee,
    Withdraw,
    CallAnything,
    Ownership,
    Roles,
    Other,
}
