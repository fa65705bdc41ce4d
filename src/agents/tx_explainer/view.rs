//! The report as it is read: the sentence, what to look at, what changed hands, who may take what, the calls, the fee. All of it is data (D4).

use leptos::prelude::*;

use super::{
    picture::picture,
    report::{Allows, Argument, Basis, Call, Charged, Event, Failure, FailureKind, FailureSource, Fee, Finality, KnownBy, Report, Standard, Status, Transaction},
};
use crate::{
    agents::{
        explanation::ExplanationView,
        sheet::{code, facts, notes, section, sheet, table, text},
    },
    ui::{CopyButton, Details, Erase, TimeView},
};

#[component]
pub fn ReportView(report: Report) -> impl IntoView {
    let status = state(report.status);
    let is_past = report.status == Status::Success;
    let transfers = (report.transfers.into_iter())
        .map(|one| vec![text(one.sum.words), address(one.from), address(one.to), text(kind(one.standard)), text(basis(one.basis))])
        .collect();
    let approvals = (report.approvals.into_iter())
        .map(|one| {
            let allows = match one.allows {
                Allows::Unlimited | Allows::All | Allows::Account => view! { <span class="severity high">{one.words}</span> }.erase(),
                _ => text(one.words),
            };
            vec![allows, address(one.owner), address(one.spender), text(kind(one.standard)), text(basis(one.basis))]
        })
        .collect();
    let moved = if is_past { "What changed hands" } else { "What it asks to move" };
    let may = if is_past { "Who may take what from now on" } else { "Whom it would let take what" };
    let parts = vec![
        Some(status),
        Some(view! { <ExplanationView explanation=report.explanation/> }.erase()),
        report.failure.map(failed),
        notes(report.warnings),
        picture(&report.flow),
        table(moved, &["What", "From", "To", "Kind", "Told by"], transfers),
        table(may, &["What", "Of", "By whom", "Kind", "Told by"], approvals),
        (!report.calls.is_empty()).then(|| section("The call, and the calls inside it", calls(report.calls))),
        report.fee.map(|fee| section("Fee", cost(fee))),
        report.transaction.map(|transaction| section("Transaction", about(transaction))),
        (!report.events.is_empty()).then(|| events(report.events)),
    ];
    sheet(report.summary, parts)
}

fn state(status: Status) -> AnyView {
    let (class, words) = match status {
        Status::Success => ("tx-state good", "Succeeded"),
        Status::Reverted => ("tx-state bad", "Failed: it was undone"),
        Status::Pending => ("tx-state wait", "In no block yet"),
        Status::NotFound => ("tx-state wait", "Signed, not known to the network"),
        Status::Unsent => ("tx-state", "Not sent here"),
        Status::CallData => ("tx-state", "Call data alone"),
    };
    view! { <p class=class>{words}</p> }.erase()
}

fn kind(standard: Standard) -> &'static str {
    match standard {
        Standard::Native => "coin",
        Standard::Erc20 => "ERC-20",
        Standard::Erc721 => "ERC-721",
        Standard::Erc1155 => "ERC-1155",
        Standard::Permit2 => "Permit2",
        Standard::Eip7702 => "EIP-7702",
    }
}

fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Transaction => "the transaction",
        Basis::Event => "an event",
        Basis::Trace => "the node’s trace",
        Basis::CallData => "call data only",
    }
}

/// By its ends; whole to copy.
fn address(whole: String) -> AnyView {
    // Longer than 10 ASCII characters, or no address: `sender`.
    let short = match (whole.get(..6), whole.get(38..)) {
        (Some(head), Some(tail)) if whole.len() == 42 => [head, "…", tail].concat(),
        _ => return text(whole),
    };
    view! { <span class="id" title=whole.clone()><code translate="no">{short}</code><CopyButton text=whole.clone() label="Copy address"/></span> }.erase()
}

fn failed(failure: Failure) -> AnyView {
    let kind = match failure.kind {
        FailureKind::Error => "With words",
        FailureKind::Panic => "A panic",
        FailureKind::Custom => "An error of the contract’s own",
        FailureKind::OutOfGas => "Out of gas",
        FailureKind::Empty => "Without a word",
        FailureKind::Invalid => "A broken rule of the machine",
        FailureKind::Unknown => "Not told",
    };
    let source = match failure.source {
        FailureSource::Trace => "The node’s trace of this transaction.",
        FailureSource::Replay => "The same call, run again on the state before its block: what came before it in the block is not in it.",
        FailureSource::None => "No node told.",
    };
    let mut pairs = vec![("Kind", text(kind))];
    pairs.extend(failure.signature.map(|signature| ("Error", code(signature))));
    pairs.extend(failure.at.map(|at| ("First failed in", code(at))));
    pairs.extend(failure.data.map(|data| ("Left behind", code(data))));
    pairs.push(("Known from", text(source)));
    let body = view! { <div class="tx-failure"><p>{failure.reason}</p>{arguments(failure.arguments)}{facts(pairs)}</div> };
    section("Why it failed", body.erase())
}

fn calls(all: Vec<Call>) -> AnyView {
    let items: Vec<AnyView> = all.into_iter().map(call).collect();
    view! { <ol class="tx-calls">{items}</ol> }.erase()
}

fn call(call: Call) -> AnyView {
    let name = call.signature.or(call.selector);
    let name = name.map(|name| view! { <code translate="no">{name}</code> }.erase());
    let to = call.to.map(|to| view! { <span class="tx-to">" on " {address(to)}</span> }.erase());
    let value = call.value.map(|value| view! { <span class="tx-to">" with " {value.words}</span> }.erase());
    let known = match call.known_by {
        KnownBy::Abi => "by the given ABI",
        KnownBy::Selector => "by its selector",
        KnownBy::Guess => "guessed",
        KnownBy::Nothing => "no function",
    };
    view! {
        <li class=format!("tx-depth-{}", call.depth.min(6))>
            <p>{name}{to}{value}" "<span class="tx-known">{known}</span></p>
            {call.note.map(|note| view! { <p class="hint">{note}</p> }.erase())}
            {arguments(call.arguments)}
        </li>
    }
    .erase()
}

fn arguments(all: Vec<Argument>) -> Option<AnyView> {
    if all.is_empty() {
        return None;
    }
    let rows: Vec<AnyView> = (all.into_iter())
        .map(|argument| {
            let note = argument.note.map(|note| view! { <span class="tx-known">{note}</span> }.erase());
            view! {
                <div>
                    <dt>{argument.name}" "<span class="tx-known">{argument.kind}</span></dt>
                    <dd><code translate="no">{argument.value}</code>" "{note}</dd>
                </div>
            }
            .erase()
        })
        .collect();
    Some(view! { <dl class="tx-arguments">{rows}</dl> }.erase())
}

fn cost(fee: Fee) -> AnyView {
    let mut pairs = Vec::new();
    pairs.extend(fee.paid.map(|paid| ("Paid", text(paid.words))));
    pairs.extend(fee.most.map(|most| ("At most", text(most.words))));
    pairs.push(("Gas limit", text(fee.gas_limit)));
    pairs.extend(fee.gas_used.map(|used| ("Gas used", text(used))));
    let charged = match fee.charged {
        Charged::GasLimit => "The limit",
        Charged::GasUsed => "What is used",
    };
    pairs.push(("Charged", text(charged)));
    pairs.push(("Comes about as", text(fee.words)));
    facts(pairs)
}

fn about(one: Transaction) -> AnyView {
    let finality = one.finality.map(|finality| match finality {
        Finality::Latest => "in a block that may still vanish",
        Finality::Safe => "voted for, not final yet",
        Finality::Finalized => "final",
    });
    let mut pairs = Vec::new();
    pairs.extend(one.hash.map(|hash| ("Hash", code(hash))));
    pairs.push(("Type", text([&one.kind.to_string(), ", ", &one.kind_words].concat())));
    pairs.extend(one.chain_id.map(|id| ("Chain id", text(id))));
    pairs.extend(one.from.map(|from| ("From", code(from))));
    pairs.extend(one.to.map(|to| ("To", code(to))));
    pairs.extend(one.created.map(|created| ("Created", code(created))));
    pairs.push(("Value", text(one.value.words)));
    pairs.push(("Nonce", text(one.nonce)));
    pairs.push(("Data", text([&one.data_bytes.to_string(), " bytes"].concat())));
    pairs.extend(one.block.map(|block| ("Block", text(block))));
    pairs.extend(one.time_ms.map(|ms| ("Time", view! { <TimeView ms/> }.erase())));
    pairs.extend(finality.map(|words| ("Finality", text(words))));
    facts(pairs)
}

fn events(all: Vec<Event>) -> AnyView {
    let events = if all.len() == 1 { "event" } else { "events" };
    let summary = format!("What contracts wrote down: {} {events}", all.len());
    let items: Vec<AnyView> = (all.into_iter())
        .map(|event| {
            let name = event.signature.or(event.topic).unwrap_or_else(|| "without a name".to_owned());
            view! {
                <li>
                    <p><code translate="no">{name}</code>" by "{address(event.contract)}</p>
                    {arguments(event.arguments)}
                </li>
            }
            .erase()
        })
        .collect();
    view! { <Details summary><ol class="tx-calls">{items}</ol></Details> }.erase()
}
