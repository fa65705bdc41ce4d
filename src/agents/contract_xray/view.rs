//! The report as it is read: what to worry about first, then what it stands on. Every text is data, never markup (D4).

use leptos::prelude::*;
use crate::{
    agents::{explanation::ExplanationView, sheet::code},
    ui::Erase,
};

use super::{
    layout::{Layout, short},
    report::{Authority, Contract, Finding, Function, OpcodeSite, Proxy, Report, Variable},
};

#[component]
pub fn ReportView(report: Report) -> impl IntoView {
    let Report { headline, findings, authorities, proxy, contract, implementation, address, explanation, .. } = report;
    let subject = match &address {
        Some(address) => view! { <p class="xray-subject">"Code at " {code(address.clone())}</p> }.erase(),
        None => view! { <p class="xray-subject">"The bytecode that was sent"</p> }.erase(),
    };
    let sections: Vec<AnyView> =
        std::iter::once(code_of(&contract, if implementation.is_some() { "The proxy’s own code" } else { "The code" }))
            .chain(implementation.as_ref().map(|implementation| code_of(implementation, "The implementation’s code")))
            .collect();
    view! {
        <div class="xray-report">
            <div>
                {(!headline.is_empty()).then(|| view! { <p class="xray-headline">{headline}</p> }.erase())}
                {subject}
            </div>
            <ExplanationView explanation/>
            {worries(findings)}
            {proxy.map(hands_on)}
            {in_charge(authorities)}
            {sections}
        </div>
    }
    .erase()
}

fn worries(findings: Vec<Finding>) -> AnyView {
    if findings.is_empty() {
        return view! {
            <section class="xray-section">
                <h3>"What somebody can do to you"</h3>
                <p>"We found no power over those who use this code. That is no promise that there is none."</p>
            </section>
        }
        .erase();
    }
    let items: Vec<AnyView> = findings.into_iter().map(worry).collect();
    view! {
        <section class="xray-section">
            <h3>"What somebody can do to you"</h3>
            <ul class="xray-findings">{items}</ul>
        </section>
    }
    .erase()
}

fn worry(finding: Finding) -> AnyView {
    let word = finding.severity.word();
    let stands_on = [
        ("Functions", finding.functions),
        ("Slots", finding.slots.iter().map(|slot| short(slot)).collect()),
        ("Instructions", finding.opcodes),
    ]
    .into_iter()
    .filter(|(_, items)| !items.is_empty())
    .map(|(what, items)| view! { <div><dt>{what}</dt><dd>{codes(items)}</dd></div> }.erase())
    .collect::<Vec<_>>();
    view! {
        <li class=format!("xray-finding xray-finding-{word}")>
            <p class="xray-finding-title">
                <span class=format!("severity {word}")>{word}</span>
                " "
                <strong>{finding.title}</strong>
                {finding.in_implementation.then_some(" (in the implementation)")}
            </p>
            <p>{finding.detail}</p>
            {(!finding.advice.is_empty()).then(|| view! { <p class="xray-advice"><strong>"What to do: "</strong>{finding.advice}</p> }.erase())}
            <dl class="xray-evidence">{stands_on}</dl>
        </li>
    }
    .erase()
}

fn hands_on(proxy: Proxy) -> AnyView {
    let rows = [
        ("Implementation", proxy.implementation),
        ("Beacon", proxy.beacon),
        ("Admin", proxy.admin),
        ("Found in slot", proxy.slot),
    ]
    .into_iter()
    .filter_map(|(what, value)| value.map(|value| (what, value)))
    .map(|(what, value)| view! { <div><dt>{what}</dt><dd>{code(value)}</dd></div> }.erase())
    .collect::<Vec<_>>();
    view! {
        <section class="xray-section xray-proxy">
            <h3>"Proxy"</h3>
            <p>{proxy.kind.words()}</p>
            <dl class="xray-facts">{rows}</dl>
        </section>
    }
    .erase()
}

fn in_charge(authorities: Vec<Authority>) -> Option<AnyView> {
    if authorities.is_empty() {
        return None;
    }
    let rows = authorities
        .into_iter()
        .map(|authority| {
            let holder = match authority.holder {
                Some(address) if address.trim_start_matches(['0', 'x']).is_empty() => {
                    view! { "nobody (the zero address)" }.erase()
                }
                Some(address) => code(address),
                None => view! { "the code alone does not tell" }.erase(),
            };
            view! {
                <tr>
                    <th scope="row">{short_guard(&authority.guard.words())}</th>
                    <td>{holder}</td>
                    <td>{codes(authority.functions)}</td>
                </tr>
            }
            .erase()
        })
        .collect::<Vec<_>>();
    Some(
        view! {
            <section class="xray-section">
                <h3>"Who is in charge"</h3>
                {table("Who is let in, and to what", &["Let in", "Right now", "May call"], rows)}
            </section>
        }
        .erase(),
    )
}

/// All of one piece of code.
fn code_of(contract: &Contract, title: &'static str) -> AnyView {
    let facts = [
        ("Address", contract.address.clone().map(code)),
        ("Size", Some(view! { <code>{format!("{} bytes", contract.code_size)}</code> }.erase())),
        ("Keccak-256", Some(code(contract.code_hash.clone()))),
        ("Compiler", Some(view! { <code>{compiler(contract)}</code> }.erase())),
    ]
    .into_iter()
    .filter_map(|(what, value)| value.map(|value| view! { <div><dt>{what}</dt><dd>{value}</dd></div> }.erase()))
    .collect::<Vec<_>>();
    let standards = contract
        .interfaces
        .iter()
        .map(|standard| view! { <li class="xray-chip">{standard.clone()}</li> }.erase())
        .collect::<Vec<_>>();
    view! {
        <section class="xray-section">
            <h3>{title}</h3>
            {(!standards.is_empty()).then(|| view! { <ul class="xray-chips" aria-label="Standards">{standards}</ul> }.erase())}
            <dl class="xray-facts">{facts}</dl>
            {(!contract.complete).then(|| view! {
                <p class="xray-note">"This code branches more than we follow: there may be more to it than is listed here."</p>
            }.erase())}
            {functions(&contract.functions)}
            {storage(contract)}
            {opcodes(contract)}
        </section>
    }
    .erase()
}

fn compiler(contract: &Contract) -> String {
    match &contract.compiler {
        None => "says nothing about itself".to_owned(),
        Some(compiler) => {
            let version = compiler.version.clone().unwrap_or_else(|| "unknown".to_owned());
            let experimental = if compiler.experimental { ", experimental" } else { "" };
            let source = if compiler.ipfs.is_some() { "; hash of its source attached" } else { "" };
            format!("{version}{experimental}{source}")
        }
    }
}

fn functions(functions: &[Function]) -> AnyView {
    if functions.is_empty() {
        return view! { <p class="xray-note">"It answers to no function by name: whatever is sent goes one way."</p> }.erase();
    }
    let rows = functions
        .iter()
        .map(|function| {
            let named = match &function.signature {
                Some(signature) => view! { <code>{signature.clone()}</code> }.erase(),
                None => view! { <span class="xray-note">"no known name"</span>" "<code>{format!("({})", function.arguments)}</code> }.erase(),
            };
            view! {
                <tr>
                    <td><code>{function.selector.clone()}</code></td>
                    <th scope="row">{named}</th>
                    <td>{function.mutability.word()}</td>
                    <td>{function.guard.as_ref().map(|guard| short_guard(&guard.words()))}</td>
                </tr>
            }
            .erase()
        })
        .collect::<Vec<_>>();
    let unnamed = functions.iter().filter(|function| function.signature.is_none()).count();
    let unnamed = if unnamed == 0 { String::new() } else { format!(", {unnamed} without a known name") };
    table(
        &format!("{} functions{unnamed}; a name is the usual one for its selector, not proof", functions.len()),
        &["Selector", "Signature", "Kind", "Who is let in"],
        rows,
    )
}

/// A hash in the middle of a sentence, by its ends.
fn short_guard(words: &str) -> String {
    words
        .split(' ')
        .map(|word| if word.starts_with("0x") && word.len() > 42 { short(word) } else { word.to_owned() })
        .collect::<Vec<_>>()
        .join(" ")
}

fn storage(contract: &Contract) -> Option<AnyView> {
    let storage: &[Variable] = &contract.storage;
    if storage.is_empty() {
        return None;
    }
    let title = |selector: &String| contract.title_of(selector);
    let rows = storage
        .iter()
        .map(|variable| {
            let last = variable.offset.saturating_add(variable.bytes.max(1) - 1);
            let bytes = if last == variable.offset { last.to_string() } else { format!("{} to {last}", variable.offset) };
            view! {
                <tr>
                    <td><code>{short(&variable.slot)}</code></td>
                    <td>{bytes}</td>
                    <th scope="row"><code>{variable.kind.clone()}</code></th>
                    <td>{variable.name.clone()}</td>
                    <td>{variable.read_by.len().to_string()}</td>
                    <td>{codes(variable.written_by.iter().map(title).collect())}</td>
                </tr>
            }
            .erase()
        })
        .collect::<Vec<_>>();
    Some(
        view! {
            <h4>"Storage"</h4>
            <Layout storage/>
            {table("Storage, variable by variable", &["Slot", "Bytes", "Type", "Name", "Readers", "Written by"], rows)}
        }
        .erase(),
    )
}

fn opcodes(contract: &Contract) -> Option<AnyView> {
    let sites: &[OpcodeSite] = &contract.opcodes;
    if sites.is_empty() {
        return None;
    }
    let title = |selector: &String| contract.title_of(selector);
    let rows = sites
        .iter()
        .map(|site| {
            view! {
                <tr>
                    <th scope="row"><code>{site.opcode.clone()}</code></th>
                    <td><code>{format!("{:#x}", site.offset)}</code></td>
                    <td>{codes(site.reached_by.iter().map(title).collect())}</td>
                </tr>
            }
            .erase()
        })
        .collect::<Vec<_>>();
    Some(
        view! {
            <h4>"Instructions to know about"</h4>
            {table("Where a call can reach them", &["Instruction", "At", "Reached by"], rows)}
        }
        .erase(),
    )
}

fn codes(items: Vec<String>) -> AnyView {
    let items = items.into_iter().map(|item| view! { <li><code>{item}</code></li> }.erase()).collect::<Vec<_>>();
    view! { <ul class="xray-codes">{items}</ul> }.erase()
}

/// Scrolls inside its own frame on a narrow screen, by keyboard too.
fn table(caption: &str, heads: &[&'static str], rows: Vec<AnyView>) -> AnyView {
    let heads = heads.iter().map(|head| view! { <th scope="col">{*head}</th> }.erase()).collect::<Vec<_>>();
    view! {
        <div class="xray-scroll" tabindex="0" role="region" aria-label=caption.to_owned()>
            <table class="xray-table">
                <caption>{caption.to_owned()}</caption>
                <thead><tr>{heads}</tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .erase()
}
