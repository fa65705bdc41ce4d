//! What an address is: a key's account, one that runs a contract's code, or a contract, and of what sort.

use alloy::{
    primitives::{B256, Bytes},
    sol_types::SolCall,
};

use super::{
    answers,
    ask::{Asker, StateSource, View},
    report::{Account, Kind, short},
};
use crate::{
    agents::contract_xray::{ProxyKind, proxy},
    chain::{
        Unavailable,
        state::{Look, Saw},
    },
    evm::Address,
};

alloy::sol! {
    function getOwners() external view returns (address[]);
    function getThreshold() external view returns (uint256);
    function owner() external view returns (address);
    function entryPoint() external view returns (address);
    function isValidSignature(bytes32 hash, bytes signature) external view returns (bytes4);
    function decimals() external view returns (uint8);
    function totalSupply() external view returns (uint256);
}

/// PUSH4 of `isValidSignature(bytes32,bytes)`, as a dispatcher compares with it.
const PUSH_IS_VALID_SIGNATURE: [u8; 5] = [0x63, 0x16, 0x26, 0xba, 0x7e];

/// What ERC-1271 answers to a signature that is not good; anything but its own selector is a no, this is what is written.
const NOT_SIGNED: [u8; 4] = [0xff; 4];

/// What was found, and what only findings need.
pub struct Told {
    pub account: Account,
    /// It runs code at an address where there is none.
    pub runs_nothing: bool,
    /// It calls an empty signature its own.
    pub signs_anything: bool,
}

/// `code`: the address's own.
pub async fn account<S: StateSource>(at: Address, code: &[u8], asker: &Asker<'_, S>) -> Result<Told, Unavailable> {
    let mut account = Account {
        kind: Kind::Plain,
        words: "A plain account: whoever has its key acts for it.".to_owned(),
        code_bytes: u32::try_from(code.len()).unwrap_or(u32::MAX),
        runs: None,
        by: None,
        owners: Vec::new(),
        threshold: None,
        owner: None,
        erc1271: false,
        entry_point: None,
        token: false,
    };
    if code.is_empty() {
        return Ok(Told { account, runs_nothing: false, signs_anything: false });
    }
    account.kind = Kind::Contract;
    let runs = runs(at, code, asker).await?;
    if let Some((target, by)) = runs {
        (account.runs, account.by) = (Some(target.to_string()), Some(by.to_owned()));
        if by == DELEGATION {
            account.kind = Kind::Delegated;
        }
    }
    let target_code = match runs {
        Some((target, _)) => asker.codes(&[target]).await?.pop().unwrap_or_default(),
        None => Vec::new(),
    };
    let runs_nothing = runs.is_some() && target_code.is_empty();

    let said = asker.views(&questions(at)).await?;
    let answer = |index: usize| said.get(index).and_then(Option::as_deref).unwrap_or_default();
    let threshold = answers::small(answer(1)).and_then(|count| u32::try_from(count).ok());
    if let (Some(owners), Some(threshold)) = (answers::addresses(answer(0)), threshold)
        && (1..=owners.len()).contains(&(threshold as usize))
    {
        account.owners = owners.iter().map(Address::to_string).collect();
        account.threshold = Some(threshold);
    }
    account.owner = answers::address(answer(2)).map(|owner| owner.to_string());
    account.entry_point = answers::address(answer(3)).map(|entry| entry.to_string());
    account.token = answers::small(answer(5)).is_some() && answers::word(answer(6)).is_some();
    let signature = signature(answer(4));
    let named = |code: &[u8]| code.windows(PUSH_IS_VALID_SIGNATURE.len()).any(|push| push == PUSH_IS_VALID_SIGNATURE);
    account.erc1271 = signature.is_some() || named(code) || named(&target_code);
    account.words = words(&account);
    Ok(Told { account, runs_nothing, signs_anything: signature == Some(true) })
}

const DELEGATION: &str = "EIP-7702";

/// Whose code it runs, and what says so.
async fn runs<S: StateSource>(
    at: Address,
    code: &[u8],
    asker: &Asker<'_, S>,
) -> Result<Option<(Address, &'static str)>, Unavailable> {
    if let Some(shape) = proxy::by_shape(code) {
        let by = if shape.kind == ProxyKind::Delegation { DELEGATION } else { "EIP-1167" };
        return Ok(shape.implementation.and_then(|target| target.parse().ok()).map(|target| (target, by)));
    }
    let slot = asker.looks(&[Look::Storage(at, proxy::IMPLEMENTATION.to_be_bytes())]).await?.pop();
    let Some(Saw::Bytes(word)) = slot else { return Ok(None) };
    Ok(answers::address(&word).map(|target| (target, "EIP-1967")))
}

fn questions(at: Address) -> Vec<View> {
    let signed = isValidSignatureCall { hash: B256::ZERO, signature: Bytes::new() };
    [
        getOwnersCall {}.abi_encode(),
        getThresholdCall {}.abi_encode(),
        ownerCall {}.abi_encode(),
        entryPointCall {}.abi_encode(),
        signed.abi_encode(),
        decimalsCall {}.abi_encode(),
        totalSupplyCall {}.abi_encode(),
    ]
    .into_iter()
    .map(|data| (at, data))
    .collect()
}

/// Is the empty signature under nothing its own? `None`: it does not answer as ERC-1271.
fn signature(answer: &[u8]) -> Option<bool> {
    let (magic, rest) = answer.split_first_chunk::<4>()?;
    if rest.len() != 28 || rest.iter().any(|byte| *byte != 0) {
        return None;
    }
    match *magic {
        isValidSignatureCall::SELECTOR => Some(true),
        NOT_SIGNED => Some(false),
        _ => None,
    }
}

fn words(account: &Account) -> String {
    let runs = account.runs.as_deref().map(short).unwrap_or_default();
    let mut words = match (account.kind, account.by.as_deref()) {
        (Kind::Delegated, _) => format!("A delegated account (EIP-7702): its key acts for it, and so does the code of {runs}."),
        (_, Some("EIP-1167")) => format!("A contract: a clone (EIP-1167) that runs the code of {runs} for ever."),
        (_, Some(_)) => format!("A contract: a proxy (EIP-1967) that runs the code of {runs} until it is upgraded."),
        _ => "A contract: its code acts for it, and no key does.".to_owned(),
    };
    match (account.threshold, account.owners.len()) {
        (Some(threshold), owners) => words += &format!(" It answers as Safe does: {threshold} of {owners} owners act together."),
        (None, _) if account.token => words += " It answers as a token itself.",
        (None, _) => {
            if let Some(owner) = &account.owner {
                words += &format!(" Its owner is {}.", short(owner));
            }
        }
    }
    if account.entry_point.is_some() {
        words += " It names an entry point, as ERC-4337 accounts do.";
    }
    if account.erc1271 {
        words += " It signs by contract (ERC-1271).";
    }
    words
}
