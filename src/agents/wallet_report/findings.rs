//! What an owner should know, the worst first, and the one sentence on top.

use super::{
    account, known,
    report::{Account, Allowance, Finding, Kind, Report, Severity, Spender, Standard, Token, Via, short},
};
use crate::{evm::Address, network::Network};

/// What findings stand on besides the report itself.
pub struct Facts<'a> {
    pub address: Address,
    pub network: &'a Network,
    pub told: &'a account::Told,
    pub tokens: &'a [(Address, Token)],
    pub poisoned_by: Vec<Address>,
}

pub fn findings(facts: &Facts<'_>, report: &Report) -> Vec<Finding> {
    let mut all = Vec::new();
    all.extend(nobody(facts));
    all.extend(of_account(facts));
    all.extend(of_reserve(report));
    all.extend(report.allowances.iter().filter_map(|allowance| of_allowance(allowance, report)));
    all.extend(facts.tokens.iter().filter_map(|(at, token)| pretender(*at, token, facts.network)));
    all.extend(silent(&report.tokens));
    all.extend(poisoned(facts));
    // Stable: within one severity in the order above.
    all.sort_by_key(|finding| finding.severity);
    all
}

fn finding(severity: Severity, title: impl Into<String>, detail: impl Into<String>, about: Vec<String>) -> Finding {
    Finding { severity, title: title.into(), detail: detail.into(), about }
}

fn nobody(facts: &Facts<'_>) -> Option<Finding> {
    (facts.address.0 == [0; 20]).then(|| {
        let detail = "Nobody has a key to the zero address. What is sent there is lost.";
        finding(Severity::Info, "This is nobody’s address.", detail, Vec::new())
    })
}

fn of_account(facts: &Facts<'_>) -> Vec<Finding> {
    let Account { kind, runs, by, .. } = &facts.told.account;
    let about: Vec<String> = runs.iter().cloned().collect();
    let target = runs.as_deref().map(short).unwrap_or_default();
    let mut all = Vec::new();
    if facts.told.signs_anything {
        let detail = "Asked whether an empty signature is its own (ERC-1271), it says yes: whoever believes it lets anybody act for it.";
        all.push(finding(Severity::High, "It takes anything for its own signature.", detail, about.clone()));
    }
    match (kind, facts.told.runs_nothing) {
        (Kind::Delegated, true) => {
            let detail = "Its delegation (EIP-7702) does nothing now. Whoever puts a contract at that address acts for this account: sign a new delegation.";
            all.push(finding(Severity::Medium, format!("It is delegated to {target}, where there is no code."), detail, about));
        }
        (Kind::Delegated, false) => {
            let detail = "That code (EIP-7702) can move all that is here, by its own rules, which are not looked at here: Contract X-ray does. Its key can end the delegation.";
            all.push(finding(Severity::Low, format!("It runs the code of {target}."), detail, about));
        }
        (_, true) => {
            let detail = format!("As a proxy ({}) it can do nothing now, and what it holds cannot leave.", by.as_deref().unwrap_or_default());
            all.push(finding(Severity::High, format!("The code it runs, at {target}, is not there."), detail, about));
        }
        _ => {}
    }
    if facts.told.account.token {
        let detail = "What a token contract holds of other tokens was mostly sent there by mistake, and often cannot leave.";
        all.push(finding(Severity::Info, "This is a token contract, not a wallet.", detail, Vec::new()));
    }
    all
}

fn of_reserve(report: &Report) -> Option<Finding> {
    let reserve = report.reserve.as_ref().filter(|reserve| reserve.always)?;
    let (severity, title) = match reserve.above.as_str() {
        "0" => (Severity::Medium, "It cannot spend any of its coin while it is delegated."),
        _ => (Severity::Low, "A part of its coin cannot be spent while it is delegated."),
    };
    Some(finding(severity, title, format!("{} A transaction that goes below reverts.", reserve.words), Vec::new()))
}

fn of_allowance(allowance: &Allowance, report: &Report) -> Option<Finding> {
    if !allowance.unlimited || !allowance.usable {
        return None;
    }
    let token = report.tokens.iter().find(|token| token.address == allowance.token)?;
    let spender = report.spenders.iter().find(|spender| spender.address == allowance.spender)?;
    let (what, who) = (token.title(), spender.title());
    let (severity, detail) = weight(allowance, spender);
    let title = match allowance.via {
        Via::Token => format!("{who} may take all {what}, without limit."),
        Via::Permit2 => format!("{who} may take all {what} through Permit2, without limit."),
        Via::Operator => format!("{who} may take every piece of {what}."),
    };
    let detail = match &allowance.note {
        Some(note) => format!("{detail} {note}"),
        None => detail.to_owned(),
    };
    Some(finding(severity, title, detail, vec![allowance.token.clone(), allowance.spender.clone()]))
}

/// Who it is decides: what asks for a signature each time is less than what takes.
fn weight(allowance: &Allowance, spender: &Spender) -> (Severity, &'static str) {
    let is_known = spender.name.is_some();
    match (is_known, spender.contract) {
        (true, true) if allowance.via == Via::Token => (
            Severity::Low,
            "It takes only what its owner signs for, each time. Sign for nothing that you do not understand, or set the allowance to what you need.",
        ),
        (true, false) => (
            Severity::Medium,
            "There is no contract at that address on this network. Set the allowance to zero.",
        ),
        (_, true) => (
            Severity::Medium,
            "All that is here now and all that comes later, whenever its code says so. Set the allowance to zero where it is not needed any more.",
        ),
        (false, false) => (
            Severity::High,
            "That is no contract but somebody’s key, which follows no rules: all that is here, now and later. Set the allowance to zero.",
        ),
    }
}

/// A token that carries the name of one that is known, or of the coin.
fn pretender(at: Address, token: &Token, network: &Network) -> Option<Finding> {
    let symbol = token.symbol.as_ref().filter(|_| token.pretends)?;
    let names = known::tokens(network).into_iter().filter(|(other, _)| *other != at);
    let names: Vec<String> = names.map(|(other, name)| format!("{name} is {other}")).collect();
    let detail = format!(
        "{} Anybody can give a token any name: take no money for it, and open no link it carries.",
        match names.len() {
            0 => format!("On {} that is the name of the network’s own coin, which has no contract.", network.name),
            _ => format!("On {}, {}; {} is the network’s own coin, which has no contract.", network.name, names.join(", "), network.symbol),
        }
    );
    let title = format!("A token calls itself {symbol}, and is another.");
    Some(finding(Severity::Medium, title, detail, vec![token.address.clone()]))
}

fn silent(tokens: &[Token]) -> Option<Finding> {
    let about: Vec<String> =
        tokens.iter().filter(|token| token.standard == Standard::None).map(|token| token.address.clone()).collect();
    let title = match about.len() {
        0 => return None,
        1 => "One address does not answer as a token.".to_owned(),
        count => format!("{count} addresses do not answer as tokens."),
    };
    Some(finding(Severity::Info, title, "Nothing is said of what is held there.", about))
}

fn poisoned(facts: &Facts<'_>) -> Option<Finding> {
    let about: Vec<String> = facts.poisoned_by.iter().map(Address::to_string).collect();
    (!about.is_empty()).then(|| {
        let detail = "Anybody can make a token write down a transfer of nothing from this address, to an address that looks like one it pays. Never copy an address from the history of transfers.";
        finding(Severity::Low, "Somebody tries to be paid by mistake.", detail, about)
    })
}

/// All of it in one sentence.
pub fn sentence(report: &Report, network: &Network) -> String {
    let what = match (report.account.kind, report.account.threshold) {
        (Kind::Plain, _) => "a plain account".to_owned(),
        (Kind::Delegated, _) => {
            format!("an account delegated to {}", report.account.runs.as_deref().map(short).unwrap_or_default())
        }
        (Kind::Contract, Some(threshold)) => format!("a wallet of which {threshold} of {} owners decide", report.account.owners.len()),
        (Kind::Contract, None) if report.account.token => "a token contract".to_owned(),
        (Kind::Contract, None) => "a contract".to_owned(),
    };
    let did = match (report.account.kind, report.nonce) {
        (Kind::Contract, _) => String::new(),
        (_, 0) => " that has sent nothing yet".to_owned(),
        (_, 1) => " that has sent one transaction".to_owned(),
        (_, count) => format!(" that has sent {count} transactions"),
    };
    format!("{} is {what} on {}{did}; it holds {}, and {}.", short(&report.address), network.name, holdings(report), takers(report))
}

/// Tokens that are named in the sentence.
const NAMED_MAX: usize = 3;

fn holdings(report: &Report) -> String {
    let held: Vec<String> = report
        .tokens
        .iter()
        .filter(|token| token.balance.as_ref().is_some_and(|balance| balance != "0"))
        .map(|token| match token.standard {
            Standard::Erc721 => format!("{} of {}", token.shown.clone().unwrap_or_default(), token.title()),
            _ => token.shown.clone().unwrap_or_default(),
        })
        // A number of sixty digits says less than that there is one.
        .map(|shown| if shown.chars().count() > 40 { "a huge amount of another token".to_owned() } else { shown })
        .collect();
    let more = held.len().saturating_sub(NAMED_MAX);
    let mut parts = vec![report.native.shown.clone()];
    parts.extend(held.into_iter().take(NAMED_MAX));
    if more > 0 {
        parts.push(format!("{more} more token{}", if more == 1 { "" } else { "s" }));
    }
    match parts.len() {
        1 => format!("{} and none of {} tokens that were asked", parts[0], report.tokens.len()).replace("none of 0 tokens that were asked", "no token was asked"),
        _ => list(&parts),
    }
}

fn list(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

fn takers(report: &Report) -> String {
    let usable = || report.allowances.iter().filter(|allowance| allowance.usable);
    let mut who: Vec<&String> = usable().map(|allowance| &allowance.spender).collect();
    who.sort();
    who.dedup();
    let unlimited = usable().filter(|allowance| allowance.unlimited).count();
    let limit = match unlimited {
        0 => "up to a limit".to_owned(),
        1 => "once without limit".to_owned(),
        count => format!("{count} times without limit"),
    };
    match who.len() {
        0 => "nobody of those that were asked about may take its tokens".to_owned(),
        1 => format!("one spender may take tokens of it, {limit}"),
        count => format!("{count} spenders may take tokens of it, {limit}"),
    }
}
