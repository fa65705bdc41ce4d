//! The report as it is read: the sentence, what to worry about, then the figures. Every text is data, never markup (D4).

use leptos::prelude::*;

use super::{
    picture::Picture,
    report::{Activity, Allowance, Finding, Report, Spender, Token, Via, short},
};
use crate::ui::{Erase, TimeView};

#[component]
pub fn ReportView(report: Report) -> impl IntoView {
    let Report { summary, findings, tokens, spenders, allowances, activity, permit2_answers, .. } = &report;
    view! {
        <div class="wallet-report">
            <p class="wallet-summary">{summary.clone()}</p>
            {worries(findings)}
            {facts(&report)}
            {holdings(tokens)}
            {takers(tokens, spenders, allowances, *permit2_answers)}
            {moves(activity, tokens)}
        </div>
    }
    .erase()
}

fn section(title: &'static str, content: Vec<AnyView>) -> AnyView {
    view! { <section><h3>{title}</h3>{content}</section> }.erase()
}

fn note(words: String) -> AnyView {
    view! { <p class="wallet-note">{words}</p> }.erase()
}

fn worries(findings: &[Finding]) -> AnyView {
    if findings.is_empty() {
        return section("Findings", vec![note("Nothing to worry about was found. That is no promise that there is nothing.".to_owned())]);
    }
    let items: Vec<AnyView> = findings
        .iter()
        .map(|finding| {
            let word = finding.severity.word();
            view! {
                <li class=format!("wallet-finding wallet-{word}")>
                    <p><span class=format!("severity {word}")>{word}</span>" "<strong>{finding.title.clone()}</strong></p>
                    <p>{finding.detail.clone()}</p>
                    {finding.about.iter().map(|about| view! { <code translate="no">{about.clone()}</code> }.erase()).collect::<Vec<_>>()}
                </li>
            }
            .erase()
        })
        .collect();
    section("Findings", vec![view! { <ul class="wallet-findings">{items}</ul> }.erase()])
}

fn facts(report: &Report) -> AnyView {
    let Report { account, native, block, reserve, .. } = report;
    let list = |items: &[String]| (!items.is_empty()).then(|| items.join(" "));
    let rows: Vec<AnyView> = [
        ("Address", Some(report.address.clone())),
        ("Balance", Some(native.shown.clone())),
        ("Nonce", Some(report.nonce.to_string())),
        ("Runs the code of", account.runs.clone()),
        ("Owners", list(&account.owners)),
        ("Owner", account.owner.clone()),
        ("Entry point", account.entry_point.clone()),
        ("Kept back", reserve.as_ref().map(|reserve| reserve.words.clone())),
        ("Network", Some(report.network.clone())),
        ("Block", Some(format!("{} {}", block.number, block.hash))),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|value| view! { <div><dt>{name}</dt><dd>{value}</dd></div> }.erase()))
    .collect();
    let time_ms = i64::try_from(block.time_s).unwrap_or_default().saturating_mul(1000);
    section(
        "What it is",
        vec![
            view! { <p>{account.words.clone()}</p><dl class="wallet-facts">{rows}<div><dt>"Time"</dt><dd><TimeView ms=time_ms/></dd></div></dl> }
                .erase(),
        ],
    )
}

fn holdings(tokens: &[Token]) -> AnyView {
    if tokens.is_empty() {
        return section("Tokens", vec![note("No token was looked at: none is known here, none was given, and none moved lately.".to_owned())]);
    }
    let rows = tokens
        .iter()
        .map(|token| {
            let held = token.shown.clone().unwrap_or_else(|| "–".to_owned());
            vec![text(token.title()), number(held), code(token.address.clone()), text(token.note.clone().unwrap_or_default())]
        })
        .collect();
    section("Tokens", vec![table("What it holds, exact; a symbol is what its maker chose", &["Token", "Balance", "Contract", "Note"], rows)])
}

fn takers(tokens: &[Token], spenders: &[Spender], allowances: &[Allowance], permit2_answers: bool) -> AnyView {
    let asked = spenders.iter().map(Spender::title).collect::<Vec<_>>().join(", ");
    let permit2 = if permit2_answers { "" } else { " Permit2’s own allowances could not be asked on this network." };
    let mut content = Vec::new();
    if allowances.is_empty() {
        content.push(note(format!("Nothing may be taken by those that were asked about: {asked}.{permit2}")));
        return section("Who may take what", content);
    }
    content.push(view! { <Picture tokens spenders allowances/> }.erase());
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
                number(allowance.shown.clone()),
                text(token.unwrap_or_default()),
                text(how.to_owned()),
                text(allowance.note.clone().unwrap_or_default()),
                code(allowance.spender.clone()),
            ]
        })
        .collect();
    content.push(table("Who may take what, and how", &["Spender", "Amount", "Token", "How", "Note", "Address"], rows));
    content.push(note(format!("Asked about: {asked}.{permit2}")));
    section("Who may take what", content)
}

fn moves(activity: &Activity, tokens: &[Token]) -> AnyView {
    let mut content = vec![note(activity.words.clone())];
    if !activity.transfers.is_empty() {
        let rows = activity
            .transfers
            .iter()
            .map(|transfer| {
                let token = tokens.iter().find(|token| token.address == transfer.token);
                vec![
                    text(transfer.block.to_string()),
                    text(if transfer.received { "received" } else { "sent" }.to_owned()),
                    number(transfer.shown.clone()),
                    text(token.map_or_else(|| short(&transfer.token), Token::title)),
                    code(transfer.other.clone()),
                    code(transfer.transaction.clone()),
                ]
            })
            .collect();
        let caption = format!("{} received, {} sent", activity.received, activity.sent);
        content.push(table(&caption, &["Block", "What", "Amount", "Token", "From or to", "Transaction"], rows));
    }
    section("Recent transfers", content)
}

fn text(words: String) -> AnyView {
    view! { <td>{words}</td> }.erase()
}

fn number(words: String) -> AnyView {
    view! { <td class="wallet-amount">{words}</td> }.erase()
}

/// Whole, so that it can be copied.
fn code(words: String) -> AnyView {
    view! { <td class="wallet-code"><code translate="no">{words}</code></td> }.erase()
}

/// Scrolls inside its own frame on a narrow screen, by keyboard too.
fn table(caption: &str, heads: &[&'static str], rows: Vec<Vec<AnyView>>) -> AnyView {
    let heads: Vec<AnyView> = heads.iter().map(|head| view! { <th scope="col">{*head}</th> }.erase()).collect();
    let rows: Vec<AnyView> = rows.into_iter().map(|row| view! { <tr>{row}</tr> }.erase()).collect();
    view! {
        <div class="table-scroll" tabindex="0" role="region" aria-label=caption.to_owned()>
            <table>
                <caption>{caption.to_owned()}</caption>
                <thead><tr>{heads}</tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .erase()
}
