//! Tx Explainer against viem and cast, on transactions of every kind that a local chain is given.

use std::process::Command;

use coinslot::{
    agents::tx_explainer::{
        Allows, Basis, Failure, FailureKind, Input, KnownBy, Report, Standard, Status, Transaction, source::explain,
    },
    chain::Chain,
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    anvil::{Anvil, CHAIN_ID},
    table::Row,
};

const AGENT: &str = "tx-explainer";

#[derive(Deserialize)]
struct Answer {
    cases: Vec<Case>,
    raws: Vec<Raw>,
}

/// A transaction, and what viem says of it with the whole ABI of every contract.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    name: String,
    hash: String,
    raw: String,
    /// What the agent is given.
    abi: Option<String>,
    fields: Fields,
    status: String,
    block: u64,
    gas_used: u64,
    fee: String,
    created: Option<String>,
    calls: Vec<TheirCall>,
    events: Vec<TheirEvent>,
    transfers: Vec<String>,
    approvals: Vec<String>,
    error: Option<TheirError>,
}

#[derive(Deserialize)]
struct Raw {
    name: String,
    raw: String,
    fields: Fields,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    #[serde(rename = "type")]
    kind: u8,
    hash: Option<String>,
    from: Option<String>,
    to: Option<String>,
    nonce: u64,
    value: String,
    gas: u64,
    chain_id: Option<u64>,
    gas_price: Option<String>,
    max_fee: Option<String>,
    max_priority: Option<String>,
    data_bytes: u64,
    access_list: u32,
    blobs: u32,
    authorizations: usize,
}

#[derive(Deserialize)]
struct TheirCall {
    depth: u8,
    to: Option<String>,
    selector: Option<String>,
    signature: Option<String>,
    args: Vec<String>,
    /// Somebody without more than the given ABI can know it.
    known: bool,
    cast: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct TheirEvent {
    address: String,
    signature: String,
    args: Vec<String>,
    known: bool,
}

#[derive(Deserialize)]
struct TheirError {
    kind: FailureKind,
    signature: Option<String>,
    args: Vec<String>,
    known: bool,
}

pub async fn rows() -> Vec<Row> {
    let anvil = Anvil::start().await;
    // Of the same id, and it knows none of the transactions: what is read of a raw one there is from its bytes alone.
    let stranger = Anvil::start().await;
    let question = json!({"url": anvil.url().as_str(), "chainId": CHAIN_ID});
    let answer = tokio::task::spawn_blocking(move || ask(&question)).await.unwrap();
    anvil.finalize().await;

    let row = |what| Row { agent: AGENT, what, target: 10_000, cases: 0, differences: Vec::new() };
    let mut state = row("fields, status, fee (viem, cast)");
    let mut raw = row("raw transactions (viem, cast)");
    let mut calls = row("calls, also inside others (viem, cast)");
    let mut events = row("events (viem)");
    let mut moved = row("transfers and approvals (viem)");
    let mut failures = row("why it failed (viem)");
    for case in &answer.cases {
        let input = Input { hash: Some(case.hash.clone()), abi: case.abi.clone(), ..Input::default() };
        let report = report(&input, &anvil.chain()).await;
        compare(&mut state, &case.name, &about(&report), &theirs(case));
        let unseen = report_of_raw(&case.raw, &stranger.chain()).await;
        compare(&mut raw, &case.name, &fields(&unseen), &case.fields);
        compare_calls(&mut calls, case, &report);
        compare_events(&mut events, case, &report);
        compare(&mut moved, &case.name, &transfers(&report), &case.transfers);
        compare(&mut moved, &case.name, &approvals(&report), &case.approvals);
        if let Some(theirs) = &case.error {
            compare_failure(&mut failures, &case.name, report.failure.as_ref(), theirs);
        }
    }
    for case in &answer.raws {
        let report = report_of_raw(&case.raw, &stranger.chain()).await;
        compare(&mut raw, &case.name, &fields(&report), &case.fields);
    }
    vec![state, raw, calls, events, moved, failures]
}

async fn report(input: &Input, chain: &Chain) -> Report {
    explain(input, chain, &|_, _| {}).await.unwrap()
}

async fn report_of_raw(raw: &str, chain: &Chain) -> Report {
    report(&Input { raw: Some(raw.to_owned()), ..Input::default() }, chain).await
}

fn fields(report: &Report) -> Fields {
    let Transaction { kind, hash, from, to, nonce, value, gas_limit, chain_id, data_bytes, access_list, blobs, .. } =
        report.transaction.clone().unwrap();
    let transaction = report.transaction.as_ref().unwrap();
    Fields {
        kind,
        hash,
        from,
        to,
        nonce,
        value: value.amount,
        gas: gas_limit,
        chain_id,
        gas_price: transaction.gas_price.clone(),
        max_fee: transaction.max_fee_per_gas.clone(),
        max_priority: transaction.max_priority_fee_per_gas.clone(),
        data_bytes,
        access_list,
        blobs,
        authorizations: report.approvals.iter().filter(|approval| approval.standard == Standard::Eip7702).count(),
    }
}

/// Status, block, gas, fee and what was created, besides the fields.
fn about(report: &Report) -> (Fields, bool, Option<u64>, Option<u64>, Option<String>, Option<String>) {
    let fee = report.fee.as_ref().unwrap();
    let transaction = report.transaction.as_ref().unwrap();
    let paid = fee.paid.as_ref().map(|paid| paid.amount.clone());
    // A transaction that failed created nothing, whatever its receipt names.
    let created = transaction.created.clone().filter(|_| report.status == Status::Success);
    (fields(report), report.status == Status::Success, transaction.block, fee.gas_used, paid, created)
}

fn theirs(case: &Case) -> (Fields, bool, Option<u64>, Option<u64>, Option<String>, Option<String>) {
    let fields = Fields { hash: case.fields.hash.clone(), ..copy(&case.fields) };
    let succeeded = case.status == "success";
    let created = case.created.clone().filter(|_| succeeded);
    (fields, succeeded, Some(case.block), Some(case.gas_used), Some(case.fee.clone()), created)
}

fn copy(fields: &Fields) -> Fields {
    Fields {
        hash: fields.hash.clone(),
        from: fields.from.clone(),
        to: fields.to.clone(),
        value: fields.value.clone(),
        gas_price: fields.gas_price.clone(),
        max_fee: fields.max_fee.clone(),
        max_priority: fields.max_priority.clone(),
        ..*fields
    }
}

/// Each call, with those inside it, is a case.
fn compare_calls(row: &mut Row, case: &Case, report: &Report) {
    if case.calls.is_empty() {
        return; // a contract is created
    }
    // What lies inside a call that nobody can name, nobody sees.
    let expected: Vec<&TheirCall> = case.calls.iter().collect();
    compare(row, &format!("{}: how many calls", case.name), &report.calls.len(), &expected.len());
    for (ours, theirs) in report.calls.iter().zip(expected) {
        let at = format!("{}: {:?}", case.name, theirs.signature);
        let where_to = (ours.depth, ours.to.clone());
        compare(row, &at, &where_to, &(theirs.depth, theirs.to.clone()));
        if !theirs.known {
            let is_open = matches!(ours.known_by, KnownBy::Guess | KnownBy::Nothing) && ours.signature.is_none();
            compare(row, &at, &is_open, &true);
            continue;
        }
        compare(row, &at, &ours.signature, &theirs.signature);
        compare(row, &at, &ours.selector, &theirs.selector);
        let values: Vec<String> = ours.arguments.iter().map(|argument| argument.value.clone()).collect();
        // Fewer than four bytes are no call of a function: ours shows them as they are, theirs has nothing to say.
        let values = if ours.selector.is_none() { Vec::new() } else { values };
        compare(row, &at, &values, &cut(&theirs.args));
        if let Some(cast) = &theirs.cast {
            let bare: Vec<String> = values.iter().map(|value| bare(value)).collect();
            compare(row, &at, &bare, &cut(cast));
        }
    }
}

fn compare_events(row: &mut Row, case: &Case, report: &Report) {
    compare(row, &format!("{}: how many events", case.name), &report.events.len(), &case.events.len());
    for (ours, theirs) in report.events.iter().zip(&case.events) {
        let at = format!("{}: {}", case.name, theirs.signature);
        compare(row, &at, &ours.contract, &theirs.address);
        if !theirs.known {
            compare(row, &at, &ours.signature, &None);
            continue;
        }
        compare(row, &at, &ours.signature, &Some(theirs.signature.clone()));
        let values: Vec<String> = ours.arguments.iter().map(|argument| argument.value.clone()).collect();
        compare(row, &at, &values, &cut(&theirs.args));
    }
}

fn compare_failure(row: &mut Row, name: &str, ours: Option<&Failure>, theirs: &TheirError) {
    let ours = ours.unwrap_or_else(|| panic!("{name}: no failure is told"));
    compare(row, name, &ours.kind, &theirs.kind);
    if !theirs.known {
        compare(row, name, &ours.signature, &None);
        return;
    }
    compare(row, name, &ours.signature, &theirs.signature);
    if theirs.signature.is_some() {
        let values: Vec<String> = ours.arguments.iter().map(|argument| argument.value.clone()).collect();
        compare(row, name, &values, &cut(&theirs.args));
    }
}

fn transfers(report: &Report) -> Vec<String> {
    let by_event = report.transfers.iter().filter(|transfer| transfer.basis == Basis::Event);
    by_event
        .map(|transfer| {
            let standard = match transfer.standard {
                Standard::Erc721 => "erc721",
                Standard::Erc1155 => "erc1155",
                _ => "erc20",
            };
            let id = transfer.id.as_deref().unwrap_or("-");
            let token = transfer.token.as_deref().unwrap();
            format!("{standard} {} {} {token} {id} {}", transfer.from, transfer.to, transfer.sum.amount)
        })
        .collect()
}

fn approvals(report: &Report) -> Vec<String> {
    let by_event = report.approvals.iter().filter(|approval| approval.basis == Basis::Event);
    by_event
        .map(|approval| {
            let sum = approval.sum.as_ref().map(|sum| sum.amount.clone()).or(approval.id.clone());
            let what = match (approval.allows, sum) {
                (Allows::All, _) => "all".to_owned(),
                (Allows::Nothing, None) => "nothing".to_owned(),
                (_, sum) => sum.unwrap(),
            };
            format!("{} {} {} {what}", approval.owner, approval.spender, approval.token.as_deref().unwrap())
        })
        .collect()
}

/// The report shows the first 2,000 characters of a value, and says so with an ellipsis.
fn cut(values: &[String]) -> Vec<String> {
    let shown = |value: &String| match value.char_indices().nth(2_000) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.clone(),
    };
    values.iter().map(shown).collect()
}

/// cast's and ours differ in quotes, spaces and case.
fn bare(value: &str) -> String {
    value.to_lowercase().chars().filter(|c| !c.is_whitespace() && !matches!(c, '"' | '\\')).collect()
}

fn compare<T: PartialEq + std::fmt::Debug>(row: &mut Row, at: &str, ours: &T, theirs: &T) {
    row.cases += 1;
    if ours != theirs {
        row.differences.push(format!("{at}: {ours:?}, theirs: {theirs:?}"));
    }
}

fn ask(question: &serde_json::Value) -> Answer {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("question.json");
    std::fs::write(&file, question.to_string()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/end2end/agents/tx_explainer.mjs");
    let output = Command::new("node").arg(script).arg(&file).env("NO_PROXY", "127.0.0.1").output().expect("node runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
