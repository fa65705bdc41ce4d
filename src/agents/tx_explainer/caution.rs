//! What somebody should know before signing, or after.

use super::{
    call::{Calls, Told},
    logs::{Granted, Moved},
    report::{Allows, Charged, Fee, Finality, KnownBy, LeftOut, Note, Severity, Standard, Status},
    tokens::Assets,
    tx::Tx,
};
use crate::evm::Address;

/// A gas limit of so many times the use is worth a word where the limit is charged.
const TOO_WIDE: u64 = 2;
/// The end of the year 9999, in Unix seconds: later is for ever.
const LAST_DATE: u64 = 253_402_300_800;
/// Warnings of one kind, at most.
const OF_A_KIND: usize = 5;

#[derive(Debug)]
pub struct Case<'a> {
    pub status: Status,
    pub tx: Option<&'a Tx>,
    pub calls: &'a Calls,
    pub moved: &'a [Moved],
    pub granted: &'a [Granted],
    pub assets: &'a Assets,
    pub fee: Option<&'a Fee>,
    pub finality: Option<Finality>,
    /// Event and contract: who is in charge, or which code runs, has changed.
    pub powers: &'a [(String, Address)],
    /// Of the network that is paid on.
    pub chain_id: u64,
    pub left_out: LeftOut,
    /// No node told what tokens are called.
    pub is_nameless: bool,
}

pub fn notes(case: &Case<'_>) -> Vec<Note> {
    let mut notes = Vec::new();
    grants(case, &mut notes);
    transfers(case, &mut notes);
    calls(case, &mut notes);
    whole(case, &mut notes);
    bounds(case, &mut notes);
    // What is worst first; of equals, in the order in which they were found.
    notes.sort_by_key(|note| note.severity);
    notes
}

fn note(severity: Severity, title: impl Into<String>, detail: impl Into<String>) -> Note {
    Note { severity, title: title.into(), detail: detail.into() }
}

fn grants(case: &Case<'_>, notes: &mut Vec<Note>) {
    for granted in case.granted.iter().take(OF_A_KIND * 4) {
        let (allows, _, words) = case.assets.granted(granted);
        let (spender, owner) = (granted.spender, granted.owner.map_or_else(|| "the sender".to_owned(), |owner| owner.short()));
        match (allows, granted.standard) {
            (Allows::Account, _) => notes.push(note(
                Severity::High,
                format!("{owner} runs the code of {} from now on", spender.short()),
                format!("EIP-7702: whoever that code lets in can move everything that {owner} has. It stands until the account signs another, even if this transaction fails. Look at {spender} with Contract X-ray."),
            )),
            (Allows::Unlimited, standard) => {
                let until = match (standard, granted.until) {
                    (Standard::Permit2, Some(until)) if until < LAST_DATE => format!(", until {}", date(until)),
                    _ => ", until it is taken back".to_owned(),
                };
                notes.push(note(
                    Severity::High,
                    format!("{} may take {words} from {owner}", spender.short()),
                    format!("The approval has no limit: {spender} may take all of this token that {owner} has now or gets later{until}. If you do not know this spender, set the approval to 0."),
                ));
            }
            (Allows::All, _) => notes.push(note(
                Severity::High,
                format!("{} may take {words}", spender.short()),
                format!("It is an approval for the whole collection, now and later, until it is taken back with setApprovalForAll({spender}, false)."),
            )),
            (Allows::Bounded, _) => notes.push(note(
                Severity::Low,
                format!("{} may take {words} from {owner}", spender.short()),
                "The approval is for this amount alone, and stands until it is used or taken back.",
            )),
            (Allows::Nothing, _) => {}
        }
    }
    for authorization in case.tx.into_iter().flat_map(|tx| &tx.authorizations).take(OF_A_KIND) {
        if authorization.chain_id.is_zero() && authorization.code_of != Address([0; 20]) {
            notes.push(note(
                Severity::High,
                "The delegation is valid on every chain",
                "It names no chain: whoever has it can set the same code for this account on every network where the account's nonce fits.",
            ));
        }
        if authorization.authority.is_none() {
            notes.push(note(Severity::Info, "An authorization is nobody's", "Its signature fits no account, so the network passes it over."));
        }
    }
}

fn transfers(case: &Case<'_>, notes: &mut Vec<Note>) {
    for (token, symbol) in case.assets.imitations().into_iter().take(OF_A_KIND) {
        notes.push(note(
            Severity::High,
            format!("A token calls itself {symbol} and is not"),
            format!("The contract at {token} is not the {symbol} that this shop knows on this network. It may be worth nothing."),
        ));
    }
    let sender = case.tx.and_then(|tx| tx.from);
    let (mut lost, mut poison) = (Vec::new(), 0_usize);
    for moved in case.moved {
        if moved.standard == Standard::Erc20 && Some(moved.to) == moved.token && !moved.amount.is_zero() && !lost.contains(&moved.to) {
            lost.push(moved.to);
        }
        if moved.standard == Standard::Erc20 && moved.amount.is_zero() && moved.from.is_some() && moved.from != sender {
            poison += 1;
        }
    }
    for token in lost.into_iter().take(OF_A_KIND) {
        notes.push(note(
            Severity::High,
            format!("{} is sent to its own contract", case.assets.name(Some(token))),
            "Most tokens cannot give back what lies in their own contract.",
        ));
    }
    if poison > 0 {
        notes.push(note(
            Severity::Medium,
            "Transfers of nothing from somebody else's address",
            "Anybody can make them. They are used to put addresses that look alike into your history: never copy an address from there.",
        ));
    }
}

fn calls(case: &Case<'_>, notes: &mut Vec<Note>) {
    for told in case.calls.told.iter().filter(|told| told.is_delegate).take(OF_A_KIND) {
        let to = told.to.map_or_else(|| "some code".to_owned(), |to| to.to_string());
        // Safe's own batch contract does nothing but call.
        let severity = if told.signature() == "multiSend(bytes)" { Severity::Medium } else { Severity::High };
        notes.push(note(
            severity,
            "Foreign code runs as the wallet's own",
            format!("The wallet hands itself to the code at {to} (DELEGATECALL): that code may move everything in it, and change its owners."),
        ));
    }
    let mut told: Vec<&Told> = case.calls.told.iter().filter(|told| in_charge(told.signature()).is_some()).collect();
    told.truncate(OF_A_KIND);
    if case.status != Status::Reverted {
        for told in told {
            if let Some(words) = in_charge(told.signature()) {
                let contract = told.to.map_or_else(|| "the called contract".to_owned(), |to| to.short());
                notes.push(note(Severity::Medium, format!("{} changes {words}", told.name().unwrap_or_default()), format!("It is about {contract}: make sure that the new one is who it should be.")));
            }
        }
        let named: Vec<&str> = case.calls.told.iter().filter_map(|told| told.to.and(told.name())).collect();
        for (event, contract) in case.powers.iter().take(OF_A_KIND) {
            // A contract that is being created names its owner; and what the call says is said already.
            if case.tx.is_some_and(|tx| tx.to.is_some()) && named.iter().all(|name| in_charge_name(name).is_none()) {
                notes.push(note(Severity::Medium, format!("{event} at {}", contract.short()), "Who is in charge of this contract, or which code it runs, has changed."));
            }
        }
    }
    if let Some(first) = case.calls.told.first().filter(|told| told.is_guessed() && told.selector.is_some()) {
        notes.push(note(
            Severity::Info,
            "The function is not known here",
            format!("No well-known function has the selector {}. With the contract's ABI its arguments can be told.", first.selector.map(alloy::hex::encode_prefixed).unwrap_or_default()),
        ));
    } else if case.calls.told.iter().any(|told| told.known_by == KnownBy::Selector) {
        notes.push(note(
            Severity::Info,
            "Names are by selector",
            "A selector is four bytes of a hash: a contract can give a harmless name to a function that does something else. What happened, the events tell.",
        ));
    }
}

/// What a call changes for everybody who uses the contract.
fn in_charge(signature: &str) -> Option<&'static str> {
    in_charge_name(signature.split('(').next().unwrap_or_default())
}

fn in_charge_name(name: &str) -> Option<&'static str> {
    Some(match name {
        "transferOwnership" | "setOwner" | "changeAdmin" | "setAdmin" | "changeProxyAdmin" => "who is in charge",
        "renounceOwnership" => "who is in charge: nobody is, from then on",
        "grantRole" | "grantRoles" => "who has which role",
        "upgradeTo" | "upgradeToAndCall" | "upgradeAndCall" | "upgrade" | "setImplementation" | "changeMasterCopy" | "diamondCut" => "the code that runs",
        "addOwnerWithThreshold" | "swapOwner" | "removeOwner" | "changeThreshold" | "enableModule" | "setGuard" => "who may act for the wallet",
        _ => return None,
    })
}

fn whole(case: &Case<'_>, notes: &mut Vec<Note>) {
    match (case.status, case.finality) {
        (Status::Success | Status::Reverted, Some(Finality::Latest)) => notes.push(note(
            Severity::Medium,
            "Not final yet",
            "Its block may still vanish, and what it did with it. Ask again in a few seconds.",
        )),
        (Status::Pending, _) => notes.push(note(Severity::Medium, "No block holds it", "It may still fail, be replaced by another of the same nonce, or never happen.")),
        (Status::NotFound, _) => notes.push(note(
            Severity::Info,
            "Not known is not dropped",
            "Networks without a common waiting room, Monad among them, know a transaction only once a block holds it.",
        )),
        _ => {}
    }
    let Some(tx) = case.tx else { return };
    if tx.from.is_some() && tx.chain_id.is_none() {
        notes.push(note(Severity::High, "Signed for every chain", "It names no chain (as before EIP-155): anybody can send it on every network where the sender's nonce fits."));
    }
    if let Some(chain_id) = tx.chain_id.filter(|chain_id| *chain_id != case.chain_id) {
        notes.push(note(Severity::Medium, "For another network", format!("It is for the chain with the id {chain_id}; this shop looks at {}. Nothing was looked up.", case.chain_id)));
    }
    if tx.kind == 3 {
        notes.push(note(Severity::Medium, "A transaction with blobs", "Ethereum takes these; Monad and most other networks refuse them."));
    }
    if let Some(fee) = case.fee.filter(|fee| fee.charged == Charged::GasLimit)
        && let Some(used) = fee.gas_used.filter(|used| *used > 0 && *used < fee.gas_limit / TOO_WIDE)
    {
        notes.push(note(
            Severity::Low,
            "The gas limit was wider than needed",
            format!("{used} gas were used and {} charged: here the limit is paid, so a closer limit is cheaper.", fee.gas_limit),
        ));
    }
}

fn bounds(case: &Case<'_>, notes: &mut Vec<Note>) {
    if case.calls.is_too_much {
        notes.push(note(Severity::Medium, "It unfolds to more than is read", "Its data is small and describes something huge: nobody honest writes such calls."));
    }
    if case.calls.is_cut {
        notes.push(note(Severity::Low, "Calls nest deeper than is followed", format!("What lies deeper than {} calls is not told.", super::call::DEPTH_MAX)));
    }
    let LeftOut { transfers, approvals, calls, events } = case.left_out;
    if transfers + approvals + calls + events > 0 {
        let parts = [(transfers, "transfers"), (approvals, "approvals"), (calls, "calls"), (events, "events")];
        let parts: Vec<String> = parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        notes.push(note(Severity::Info, "There is more than is told", format!("Left out: {}.", parts.join(", "))));
    }
    if case.is_nameless {
        notes.push(note(Severity::Info, "Tokens without names", "The node did not tell what the tokens are called: amounts are in their smallest unit."));
    }
}

/// `2026-11-25`
fn date(seconds: u64) -> String {
    let ms = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
    crate::ui::utc_date_time(ms).chars().take(10).collect()
}
