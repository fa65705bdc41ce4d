//! The report as it is read: the sentence, what to worry about, then the figures.

use leptos::prelude::*;

use super::{
    picture::Picture,
    report::{Activity, Allowance, Finding, Report, Spender, Token, Via},
};
use crate::{
    agents::{
        explanation::ExplanationView,
        sheet::{code, facts, section, sheet, table, text},
    },
    evm::{Address, TxHash},
    ui::{AddressView, Erase, HashView, TimeView},
};

#[component]
pub fn ReportView(report: Report) -> impl IntoView {
    let Report { findings, tokens, spenders, allowances, activity, .. } = &report;
    let explained = view! { <ExplanationView explanation=report.explanation.clone()/> }.erase();
    let parts = vec![
        Some(explained),
        Some(worries(findings)),
        Some(what(&report)),
        Some(holdings(tokens)),
        Some(asked(&report)),
        takers(tokens, spenders, allowances),
        Some(section("Recent transfers", text(&activity.words))),
        moves(activity, tokens),
    ];
    view! { <div class="wallet-report">{sheet(report.summary.clone(), parts)}</div> }.erase()
}

fn worries(findings: &[Finding]) -> AnyView {
    if findings.is_empty() {
        return section("Findings", text("Nothing to worry about was found. That is no promise that there is nothing."));
    }
    let items: Vec<AnyView> = findings
        .iter()
        .map(|finding| {
            let word = finding.severity.word();
            let about: Vec<AnyView> = finding.about.iter().map(|about| code(about.clone())).collect();
            view! {
                <li class="finding">
                    <p><span class=format!("severity {word}")>{word}</span>" "<strong>{finding.title.clone()}</strong></p>
                    <p>{finding.detail.clone()}</p>
                    {about}
                </li>
            }
            .erase()
        })
        .collect();
    section("Findings", view! { <ul class="findings">{items}</ul> }.erase())
}

fn what(report: &Report) -> AnyView {
    let Report { account, native, block, reserve, .. } = report;
    let time_ms = i64::try_from(block.time_s).unwrap_or_default().saturating_mul(1000);
    let owners: Vec<AnyView> = account.owners.iter().map(|owner| address(owner)).collect();
    let pairs = vec![
        ("Address", Some(code(report.address.clone()))),
        ("Balance", Some(text(&native.shown))),
        ("Nonce", Some(text(report.nonce))),
        ("Runs the code of", account.runs.as_deref().map(address)),
        ("Owners", (!owners.is_empty()).then(|| view! { {owners} }.erase())),
        ("Owner", account.owner.as_deref().map(address)),
        ("Entry point", account.entry_point.as_deref().map(address)),
        ("Kept back", reserve.as_ref().map(|reserve| text(&reserve.words))),
        ("Network", Some(text(&report.network))),
        ("Block", Some(text(block.number))),
        ("Its hash", Some(code(block.hash.clone()))),
        ("Its time", Some(view! { <TimeView ms=time_ms/> }.erase())),
    ];
    let pairs = pairs.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect();
    section("What it is", view! { <p>{account.words.clone()}</p>{facts(pairs)} }.erase())
}

fn holdings(tokens: &[Token]) -> AnyView {
    let rows = tokens
        .iter()
        .map(|token| {
            let held = token.shown.as_deref().unwrap_or("–");
            vec![noted(token.title(), token.note.as_ref()), amount(held), address(&token.address)]
        })
        .collect();
    table("What it holds", &["Token", "Balance", "Contract"], rows).unwrap_or_else(|| {
        section("What it holds", text("No token was looked at: none is known here, none was given, and none moved lately."))
    })
}

fn asked(Report { tokens, spenders, allowances, permit2_answers, .. }: &Report) -> AnyView {
    let who = spenders.iter().map(Spender::title).collect::<Vec<_>>().join(", ");
    let found = if allowances.is_empty() { "None of them may take anything." } else { "" };
    let permit2 = if *permit2_answers { "" } else { "Permit2’s own allowances could not be asked on this network." };
    let words = format!("Asked about: {who}. {found} {permit2}");
    section("Who may take it", view! { <p>{words}</p><Picture tokens spenders allowances/> }.erase())
}

fn takers(tokens: &[Token], spenders: &[Spender], allowances: &[Allowance]) -> Option<AnyView> {
    let rows = allowances
        .iter()
        .map(|allowance| {
            let token = tokens.iter().find(|token| token.address == allowance.token).map(Token::title);
            let spender = spenders.iter().find(|spender| spender.address == allowance.spender).map(Spender::title);
            let how = match allowance.via {
                Via::Token => "by the token",
                Via::Permit2 => "through Permit2",
                Via::Operator => "as operator",
            };
            vec![
                text(spender.unwrap_or_default()),
                amount(&allowance.shown),
                text(token.unwrap_or_default()),
                noted(how.to_owned(), allowance.note.as_ref()),
                address(&allowance.spender),
            ]
        })
        .collect();
    table("Allowances", &["Spender", "Amount", "Token", "How", "Address"], rows)
}

fn moves(activity: &Activity, tokens: &[Token]) -> Option<AnyView> {
    let rows = activity
        .transfers
        .iter()
        .map(|transfer| {
            let token = tokens.iter().find(|token| token.address == transfer.token);
            vec![
                text(transfer.block),
                text(if transfer.received { "received" } else { "sent" }),
                amount(&transfer.shown),
                token.map_or_else(|| address(&transfer.token), |token| text(token.title())),
                address(&transfer.other),
                match transfer.transaction.parse::<TxHash>() {
                    Ok(hash) => view! { <HashView hash=hash/> }.erase(),
                    Err(_) => text(&transfer.transaction),
                },
            ]
        })
        .collect();
    table("Received and sent", &["Block", "What", "Amount", "Token", "From or to", "Transaction"], rows)
}

/// With what is odd about it below.
fn noted(words: String, note: Option<&String>) -> AnyView {
    view! { {words}{note.map(|note| view! { <span class="below wallet-below">{note.clone()}</span> }.erase())} }.erase()
}

/// Exact, however long.
fn amount(shown: &str) -> AnyView {
    view! { <span class="wallet-amount">{shown.to_owned()}</span> }.erase()
}

/// Short to read, whole to copy.
fn address(whole: &str) -> AnyView {
    match whole.parse::<Address>() {
        Ok(address) => view! { <AddressView address/> }.erase(),
        Err(_) => text(whole),
    }
}
