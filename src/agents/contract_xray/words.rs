//! What a report says to somebody who reads no code: the whole in one sentence, and what to do about each finding.

use super::report::{Finding, Power, ProxyKind, Report, Severity};

/// What to do.
pub(super) fn advice(finding: &Finding) -> &'static str {
    let anybody = finding.title.starts_with("Anybody");
    match finding.power {
        Power::RunAnyCode | Power::Destroy | Power::TakeOver | Power::Withdraw if anybody => {
            "Do not use this contract: leave nothing in it, and take back what you have approved it to spend."
        }
        Power::Upgrade => {
            "Trust whoever can do this as you would trust them with your tokens. A timelock or a wallet of several owners at that \
             address makes it better: look there."
        }
        Power::RunAnyCode => "Treat everything in this contract, and everything that you approved it to spend, as theirs.",
        Power::Destroy => "Leave nothing in this contract that you could not lose.",
        Power::TakeOver => "Look whether an owner is set already: asked by its address, this report says so below.",
        Power::Mint => "Look who that is, and for a cap: an owner who can create tokens can sell them to everybody who holds some.",
        Power::Burn => "Hold no more than you could lose.",
        Power::Block => "A sale that works today may be stopped tomorrow: hold no more than you could lose.",
        Power::Pause => "Be ready to wait: while this is switched off, nobody can sell or take out.",
        Power::Fee => "Read the fee again before each trade, and set the least that you will accept.",
        Power::Withdraw => "Leave no coins in this contract that are not theirs.",
        Power::CallAnything => "Approve this contract for what one payment needs, not for more.",
        Power::Ownership => "Whoever is in charge today need not be tomorrow.",
        Power::Roles => "Read the events to see who has which role now.",
        Power::Other => "",
    }
}

/// As `They can …` goes on.
fn can(power: Power) -> Option<&'static str> {
    Some(match power {
        Power::Upgrade => "replace the code",
        Power::RunAnyCode => "run any code in its name",
        Power::Destroy => "end it",
        Power::TakeOver => "become its owner",
        Power::Mint => "create tokens",
        Power::Burn => "destroy others’ tokens",
        Power::Block => "block accounts",
        Power::Pause => "stop everybody",
        Power::Fee => "change fees or limits",
        Power::Withdraw => "take coins out",
        Power::CallAnything => "make it call others",
        Power::Ownership | Power::Roles | Power::Other => return None,
    })
}

/// The answer, for whoever reads no further.
pub(super) fn headline(report: &Report) -> String {
    let subject = subject(report);
    let serious = || report.findings.iter().filter(|finding| finding.severity <= Severity::Medium);
    let powers = |anybody: bool| {
        let mut powers: Vec<_> = serious()
            .filter(|finding| finding.title.starts_with("Anybody") == anybody)
            .filter_map(|finding| can(finding.power))
            .collect();
        powers.dedup();
        powers
    };
    let (anybody, some) = (powers(true), powers(false));
    let told = match (anybody.as_slice(), some.as_slice()) {
        ([], []) if report.findings.is_empty() => "We found no power over those who use it.".to_owned(),
        ([], []) => "We found no serious power over those who use it.".to_owned(),
        ([], some) => format!("Whoever is in charge can {}.", listed(some)),
        (anybody, []) => format!("Anybody can {}: stay away from it.", listed(anybody)),
        (anybody, some) => {
            format!("Anybody can {}: stay away from it. Whoever is in charge can {}.", listed(anybody), listed(some))
        }
    };
    let unseen = match &report.proxy {
        Some(proxy) if report.implementation.is_none() && proxy.kind != ProxyKind::Diamond => {
            " What it runs was not looked at: that code is elsewhere."
        }
        Some(proxy) if proxy.kind == ProxyKind::Diamond => " What it runs was not looked at: it is many pieces, elsewhere.",
        _ => "",
    };
    format!("{subject} {told}{unseen}")
}

fn subject(report: &Report) -> String {
    let code = report.implementation.as_ref().unwrap_or(&report.contract);
    let has = |standard: &str| code.interfaces.iter().any(|known| known == standard);
    let what = if has("ERC-4626") {
        "a vault (ERC-4626)"
    } else if has("ERC-20") {
        "a token (ERC-20)"
    } else if has("ERC-721") {
        "a collection (ERC-721)"
    } else if has("ERC-1155") {
        "a collection (ERC-1155)"
    } else {
        "a contract"
    };
    match &report.proxy {
        Some(proxy) if proxy.kind == ProxyKind::Delegation => "A wallet that runs a contract’s code.".to_owned(),
        Some(proxy) if proxy.kind == ProxyKind::Minimal => format!("A clone of {what}: it runs another’s code for ever."),
        Some(_) if report.implementation.is_some() => format!("A proxy that runs {what}."),
        Some(_) => "A proxy: it hands its calls to other code.".to_owned(),
        None => {
            let functions = code.functions.len();
            let unnamed = code.functions.iter().filter(|function| function.signature.is_none()).count();
            let named = if unnamed == 0 { String::new() } else { format!(", {unnamed} of them without a known name") };
            let article = what.replacen('a', "A", 1);
            match functions {
                1 => format!("{article} with 1 function{named}."),
                functions => format!("{article} with {functions} functions{named}."),
            }
        }
    }
}

fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}
