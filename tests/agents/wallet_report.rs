//! Wallet Report against cast and viem, on wallets of every kind that a local chain is given.

use std::process::Command;

use coinslot::{
    agents::wallet_report::{Input, Report, Via, known::MULTICALL3, look::wallet},
    chain::{EXACT_PROXY, PERMIT2},
    evm::Address,
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    anvil::CHAIN_ID,
    table::Row,
    wallets::{SOMEBODY, Wallets},
};

const AGENT: &str = "wallet-report";

#[derive(Deserialize)]
struct Other {
    balance: String,
    nonce: String,
    code: String,
    tokens: Vec<OtherToken>,
    allowances: Vec<OtherAllowance>,
    transfers: Vec<String>,
}

#[derive(Deserialize)]
struct OtherToken {
    token: String,
    balance: Option<String>,
    symbol: Option<String>,
    decimals: Option<String>,
}

#[derive(Deserialize)]
struct OtherAllowance {
    token: String,
    spender: String,
    own: String,
    permit2: [String; 3],
}

/// Every figure of every wallet is a case.
pub async fn rows() -> Vec<Row> {
    let wallets = Wallets::settle().await;
    // cast and viem take what answers as a token; what does not is the business of tests/wallet_report.rs.
    let tokens = wallets.honest.to_vec();
    let spenders = vec![PERMIT2, EXACT_PROXY, wallets.taker, SOMEBODY];
    wallets.with_multicall().await;
    let mut reports = Vec::new();
    for (_, address) in &wallets.all {
        let texts = |addresses: &[Address]| addresses.iter().map(Address::to_string).collect();
        let input = Input { address: address.to_string(), tokens: texts(&tokens), spenders: texts(&[wallets.taker, SOMEBODY]) };
        reports.push(wallet(&input, &wallets.anvil.chain(), &|_, _, _| {}).await.unwrap());
    }
    let block = reports[0].block.number;
    assert!(reports.iter().all(|report| report.block.number == block), "nothing is mined meanwhile");
    let question = json!({
        "url": wallets.anvil.url().as_str(), "block": block, "chainId": CHAIN_ID, "multicall": MULTICALL3, "permit2": PERMIT2,
        "wallets": wallets.all.iter().map(|(_, address)| address).collect::<Vec<_>>(), "tokens": tokens, "spenders": spenders,
    });
    let others: Vec<Other> = tokio::task::spawn_blocking(move || ask(&question)).await.unwrap();
    assert_eq!(others.len(), reports.len());

    let row = |what| Row { agent: AGENT, what, target: 10_000, cases: 0, differences: Vec::new() };
    let mut state = row("balance, nonce, code (cast)");
    let mut held = row("token balances, symbols, decimals (viem)");
    let mut allowed = row("allowances (cast), Permit2’s (viem)");
    let mut moved = row("recent transfers (viem)");
    for (((name, _), report), other) in wallets.all.iter().zip(&reports).zip(&others) {
        let code_bytes = ((other.code.len() - 2) / 2).to_string();
        for (what, ours, theirs) in [
            ("balance", &report.native.balance, &other.balance),
            ("nonce", &report.nonce.to_string(), &other.nonce),
            ("code", &report.account.code_bytes.to_string(), &code_bytes),
            ("delegation", &delegated_to(report), &other.code.strip_prefix("0xef0100").unwrap_or_default().to_owned()),
        ] {
            compare(&mut state, &format!("{name}: {what}"), ours, theirs);
        }
        for theirs in &other.tokens {
            let ours = report.tokens.iter().find(|token| token.address == theirs.token).unwrap();
            let at = format!("{name}: {}", theirs.token);
            compare(&mut held, &at, &ours.balance, &theirs.balance);
            compare(&mut held, &at, &ours.symbol, &theirs.symbol);
            compare(&mut held, &at, &ours.decimals.map(|decimals| decimals.to_string()), &theirs.decimals);
        }
        for theirs in &other.allowances {
            let of = |via| {
                let mut all = report.allowances.iter();
                all.find(|it| it.token == theirs.token && it.spender == theirs.spender && it.via == via)
            };
            let amount = |via| of(via).and_then(|it| it.amount.clone()).unwrap_or_else(|| "0".to_owned());
            let at = format!("{name}: {} to {}", theirs.token, theirs.spender);
            compare(&mut allowed, &at, &amount(Via::Token), &theirs.own);
            compare(&mut allowed, &at, &amount(Via::Permit2), &theirs.permit2[0]);
            if let Some(inner) = of(Via::Permit2) {
                compare(&mut allowed, &at, &inner.expires_s.map(|s| s.to_string()).as_ref(), &Some(&theirs.permit2[1]));
                compare(&mut allowed, &at, &inner.nonce.map(|n| n.to_string()).as_ref(), &Some(&theirs.permit2[2]));
            }
        }
        compare(
            &mut moved,
            &format!("{name}: how many"),
            &((report.activity.received + report.activity.sent) as usize),
            &other.transfers.len(),
        );
        let listed = report.activity.transfers.iter().map(|it| {
            let value = it.amount.as_ref().or(it.piece.as_ref()).unwrap();
            format!("{} {} {} {value}", it.block, it.transaction, it.token)
        });
        for (ours, theirs) in listed.zip(&other.transfers) {
            compare(&mut moved, name, &ours, theirs);
        }
    }
    vec![state, held, allowed, moved]
}

fn delegated_to(report: &Report) -> String {
    let target = report.account.runs.as_deref().filter(|_| report.account.by.as_deref() == Some("EIP-7702"));
    target.unwrap_or_default().trim_start_matches("0x").to_owned()
}

fn compare<T: PartialEq + std::fmt::Debug>(row: &mut Row, at: &str, ours: &T, theirs: &T) {
    row.cases += 1;
    if ours != theirs {
        row.differences.push(format!("{at}: {ours:?}, the other says {theirs:?}"));
    }
}

fn ask(question: &serde_json::Value) -> Vec<Other> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("question.json");
    std::fs::write(&file, question.to_string()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/end2end/agents/wallet_report.mjs");
    let output = Command::new("node").arg(script).arg(&file).output().expect("node is installed: run make setup FOR=agents");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
