//! Wallet Report on a real chain node: what wallets are and hold, with Multicall3 and without, and tokens that lie.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod anvil;
mod wallets;

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use anvil::{Anvil, settings};
use coinslot::{
    agents::wallet_report::{
        Allowance, CARD, Finding, Form, Input, Kind, Origin, Report, ReportView, Severity, Standard, Token, Via, look::wallet,
        sample,
    },
    chain::{
        Chain, EXACT_PROXY, PERMIT2,
        state::{AtBlock, LogsOf, Look, Saw},
    },
    error::{CallError, Code, FieldError, Retry},
    evm::Address,
    money::Amount,
    network::Token as Sold,
};
use leptos::prelude::*;
use wallets::{SOMEBODY, Wallets};

async fn look(wallets: &Wallets, what: &str) -> Report {
    report(&input(wallets, wallets.get(what)), &wallets.anvil.chain()).await
}

async fn report(input: &Input, chain: &Chain) -> Report {
    wallet(input, chain, &|_, _, _| {}).await.unwrap()
}

/// Asks about every token that there is, and whoever may take some.
fn input(wallets: &Wallets, address: Address) -> Input {
    Input {
        address: address.to_string(),
        tokens: wallets.tokens().iter().map(Address::to_string).collect(),
        spenders: vec![wallets.taker.to_string(), SOMEBODY.to_string()],
    }
}

#[track_caller]
fn token(report: &Report, address: Address) -> &Token {
    let address = address.to_string();
    report.tokens.iter().find(|token| token.address == address).unwrap_or_else(|| panic!("{address} was not looked at"))
}

#[track_caller]
fn finding<'a>(report: &'a Report, words: &str) -> &'a Finding {
    let found = report.findings.iter().find(|finding| finding.title.contains(words));
    found.unwrap_or_else(|| panic!("no finding says {words:?}: {:#?}", report.findings))
}

fn allowance(report: &Report, token: Address, spender: Address, via: Via) -> Option<&Allowance> {
    let (token, spender) = (token.to_string(), spender.to_string());
    report.allowances.iter().find(|it| it.token == token && it.spender == spender && it.via == via)
}

/// One chain for all of it: making it takes longer than looking at it.
#[tokio::test]
async fn wallets_are_told_as_they_are_with_multicall_and_without() {
    let wallets = Wallets::settle().await;
    let without = all(&wallets).await;
    kinds(&wallets).await;
    holdings(&wallets).await;
    takers(&wallets).await;
    transfers(&wallets).await;
    liars(&wallets).await;
    the_network_s_own_tokens_are_known(&wallets).await;

    wallets.with_multicall().await;
    let with = all(&wallets).await;
    for (mut before, after) in without.into_iter().zip(with) {
        // What is newer is the block alone, and how far back it was looked from there.
        (before.block, before.activity.words) = (after.block.clone(), after.activity.words.clone());
        before.activity.blocks = after.activity.blocks;
        assert_eq!(before, after, "Multicall3 changes how it is asked, not what is answered");
    }
    liars(&wallets).await;
    takers(&wallets).await;
}

async fn all(wallets: &Wallets) -> Vec<Report> {
    let mut reports = Vec::new();
    for (what, address) in &wallets.all {
        let report = look(wallets, what).await;
        assert_eq!(report.address, address.to_string());
        assert_eq!(report, look(wallets, what).await, "the same state gives the same answer");
        reports.push(report);
    }
    reports
}

async fn kinds(wallets: &Wallets) {
    for (what, kind) in [
        ("holder", Kind::Plain),
        ("unused", Kind::Plain),
        ("zero", Kind::Plain),
        ("delegated", Kind::Delegated),
        ("delegated to nothing", Kind::Delegated),
        ("safe", Kind::Contract),
        ("clone", Kind::Contract),
        ("token", Kind::Contract),
    ] {
        assert_eq!(look(wallets, what).await.account.kind, kind, "{what}");
    }
    let delegated = look(wallets, "delegated").await;
    assert_eq!(delegated.account.runs, Some(wallets.delegate.to_string()));
    assert_eq!((delegated.account.by.as_deref(), delegated.account.code_bytes), (Some("EIP-7702"), 23));
    assert!(delegated.account.erc1271 && delegated.account.entry_point.is_some(), "{:?}", delegated.account);
    assert_eq!(delegated.nonce, 1, "a delegation counts");
    assert_eq!(finding(&delegated, "It runs the code of").severity, Severity::Low);
    assert_eq!(finding(&look(wallets, "delegated to nothing").await, "where there is no code").severity, Severity::Medium);

    let safe = look(wallets, "safe").await;
    assert_eq!((safe.account.threshold, safe.account.owners.len()), (Some(2), 3));
    assert!(safe.summary.contains("a wallet of which 2 of 3 owners decide"), "{}", safe.summary);
    assert_eq!(safe.native.balance, "5000000000000000001");
    assert_eq!(safe.native.shown, "5.000000000000000001 MON");

    let signer = look(wallets, "signer").await;
    assert!(signer.account.erc1271 && signer.account.owner == Some(wallets.anvil.account(1).to_string()), "{:?}", signer.account);
    let clone = look(wallets, "clone").await;
    assert_eq!(
        (clone.account.by.as_deref(), clone.account.runs.clone()),
        (Some("EIP-1167"), Some(wallets.get("signer").to_string()))
    );
    assert!(clone.account.erc1271, "as what it runs");
    let proxy = look(wallets, "proxy").await;
    assert_eq!(proxy.account.by.as_deref(), Some("EIP-1967"));
    assert_eq!(finding(&look(wallets, "lost clone").await, "is not there").severity, Severity::High);
    assert_eq!(finding(&look(wallets, "fool").await, "anything for its own signature").severity, Severity::High);
    finding(&look(wallets, "token").await, "a token contract");
    finding(&look(wallets, "zero").await, "nobody’s address");

    // Odd tokens say that everybody has some of them: only honest ones are asked.
    let tokens = wallets.honest.iter().map(Address::to_string).collect();
    let unused = Input { tokens, spenders: Vec::new(), address: wallets.get("unused").to_string() };
    let unused = report(&unused, &wallets.anvil.chain()).await;
    assert_eq!((unused.nonce, unused.native.balance.as_str(), unused.reserve.clone()), (0, "0", None));
    assert!(unused.summary.contains("that has sent nothing yet; it holds 0 MON and none of 3 tokens"), "{}", unused.summary);
    let idle = look(wallets, "idle").await;
    assert!(idle.account.words.starts_with("A plain account"), "{}", idle.account.words);
    assert_eq!(idle.engine, "computed");
}

async fn holdings(wallets: &Wallets) {
    let holder = look(wallets, "holder").await;
    let [usd, eth, whole] = wallets.honest;
    for (at, shown) in [
        (usd, "25 USD"),
        (eth, "0.000000000000000001 ETHX"),
        (whole, "7 WHOLE"),
        (wallets.old, "0.000000000000000003 OLD"),
        (wallets.tickets, "2 pieces"),
    ] {
        assert_eq!(token(&holder, at).shown.as_deref(), Some(shown));
        assert_eq!(token(&holder, at).note, None);
    }
    assert_eq!(token(&holder, wallets.tickets).standard, Standard::Erc721);
    let items = token(&holder, wallets.items);
    assert_eq!((items.standard, items.balance.as_ref()), (Standard::Erc1155, None));
    let rich = look(wallets, "rich").await;
    assert_eq!(token(&rich, eth).balance.as_deref(), Some(alloy::primitives::U256::MAX.to_string().as_str()));
    assert_eq!(rich.native.balance, u128::MAX.to_string());
}

async fn takers(wallets: &Wallets) {
    let giver = look(wallets, "giver").await;
    let [usd, eth, whole] = wallets.honest;
    let of = |token, spender, via| allowance(&giver, token, spender, via).map(|it| (it.shown.as_str(), it.usable));
    assert_eq!(of(usd, PERMIT2, Via::Token), Some(("unlimited", true)));
    assert_eq!(of(eth, PERMIT2, Via::Token), Some(("1 ETHX", true)));
    assert_eq!(of(usd, wallets.taker, Via::Token), Some(("unlimited", true)));
    assert_eq!(of(eth, SOMEBODY, Via::Token), Some(("unlimited", true)), "2⁹⁶ − 1 is what some tokens write for all");
    assert_eq!(of(usd, EXACT_PROXY, Via::Token), Some(("1.5 USD", true)));
    assert_eq!(of(whole, SOMEBODY, Via::Token), Some(("3 WHOLE", true)));
    assert_eq!(of(wallets.tickets, wallets.taker, Via::Operator), Some(("all pieces", true)));
    assert_eq!(of(usd, wallets.taker, Via::Permit2), Some(("unlimited", true)));
    assert_eq!(of(eth, SOMEBODY, Via::Permit2).map(|(_, usable)| usable), Some(false), "it is over");
    assert_eq!(of(whole, SOMEBODY, Via::Permit2).map(|(_, usable)| usable), Some(false), "Permit2 may not take it");
    assert!(giver.permit2_answers);
    assert_eq!(finding(&giver, "may take all ETHX").severity, Severity::High, "somebody's key");
    assert_eq!(finding(&giver, "Permit2 may take all USD, without limit").severity, Severity::Low);
    assert_eq!(finding(&giver, "through Permit2").severity, Severity::Medium);
    assert_eq!(finding(&giver, "every piece of TIX").severity, Severity::Medium);
    assert!(giver.findings.is_sorted_by_key(|finding| finding.severity), "the worst first");
    let told = "and 4 spenders may take tokens of it, 5 times without limit.";
    assert!(giver.summary.ends_with(told), "{}", giver.summary);
    let unused = look(wallets, "unused").await;
    assert_eq!(unused.allowances, []);
    assert_eq!(unused.spenders.len(), 5, "three that are known, two that were given");
}

async fn transfers(wallets: &Wallets) {
    let holder = look(wallets, "holder").await;
    // Three mints and two pieces came; one payment and one that moved nothing went. `WordToken` and ERC-1155 write down no `Transfer`.
    assert_eq!((holder.activity.received, holder.activity.sent), (5, 2));
    assert_eq!(holder.activity.first_block, Some(0));
    assert!(holder.activity.words.ends_with("The chain begins there."), "{}", holder.activity.words);
    let shown: Vec<&str> = holder.activity.transfers.iter().map(|transfer| transfer.shown.as_str()).collect();
    assert_eq!(shown, ["TIX #7", "TIX #1", "0 ETHX", "0.5 USD", "7 WHOLE", "0.000000000000000001 ETHX", "25.5 USD"]);
    assert_eq!(finding(&holder, "paid by mistake").about, [wallets.honest[1].to_string()]);

    // What moved is looked at, although nobody named it.
    let bare = Input { tokens: Vec::new(), spenders: Vec::new(), ..input(wallets, wallets.get("holder")) };
    let bare = report(&bare, &wallets.anvil.chain()).await;
    let seen: Vec<_> = bare.tokens.iter().map(|token| (token.origin, token.title())).collect();
    let titles = ["TIX", "ETHX", "USD", "WHOLE"].map(|title| (Origin::Seen, title.to_owned()));
    assert_eq!(seen, titles);
}

/// Each says of itself what it can, and nothing of the others changes.
async fn liars(wallets: &Wallets) {
    let begun = Instant::now();
    let holder = look(wallets, "holder").await;
    assert!(begun.elapsed() < CARD.time_limit, "{:?}", begun.elapsed());
    let [reverts, flood, not_utf8, burns, short, far, wide] = wallets.odd[..] else { panic!("seven kinds") };
    for silent in [reverts, flood, burns, short] {
        let token = token(&holder, silent);
        assert_eq!((token.standard, token.symbol.as_ref(), token.shown.as_ref()), (Standard::None, None, None));
        assert_eq!(token.note.as_deref(), Some("It does not answer as a token."));
    }
    finding(&holder, "4 addresses do not answer as tokens");
    for nameless in [not_utf8, far] {
        let token = token(&holder, nameless);
        assert_eq!((token.symbol.as_ref(), token.balance.as_deref()), (None, Some("5000000")));
        assert!(token.note.as_deref().unwrap().contains("Its symbol cannot be shown"), "{token:?}");
    }
    assert_eq!(token(&holder, wide).shown.as_deref(), Some("5000000 smallest units of WIDE"));
    let [usdc, cyrillic, wider] = wallets.pretenders;
    assert_eq!((token(&holder, wider).decimals, token(&holder, usdc).decimals), (None, Some(6)));
    assert!(token(&holder, wider).note.as_deref().unwrap().contains("255 decimals"));
    assert!(token(&holder, cyrillic).note.as_deref().unwrap().contains("beyond the Latin"));
    assert_eq!(token(&holder, wallets.honest[0]).shown.as_deref(), Some("25 USD"));
}

async fn the_network_s_own_tokens_are_known(wallets: &Wallets) {
    let mut settings = settings([wallets.anvil.url()]);
    settings.network.tokens = vec![Sold {
        address: wallets.honest[0],
        symbol: "USDC".to_owned(),
        decimals: 6,
        name: "USDC".to_owned(),
        version: "2".to_owned(),
        eip3009: true,
        permit2: true,
    }];
    let chain = Chain::new(settings);
    let report = report(&input(wallets, wallets.get("holder")), &chain).await;
    assert_eq!(report.tokens[0].origin, Origin::Known);
    assert_eq!(report.tokens.iter().filter(|token| token.address == wallets.honest[0].to_string()).count(), 1, "each once");
    assert_eq!(token(&report, wallets.pretenders[0]).shown.as_deref(), Some("0 false usdc"));
    let pretender = finding(&report, "calls itself usdc");
    assert_eq!((pretender.severity, pretender.about.clone()), (Severity::Medium, vec![wallets.pretenders[0].to_string()]));
}

/// All figures are of one block, whatever comes after it.
#[tokio::test]
async fn every_figure_is_of_the_block_that_is_named() {
    let anvil = Anvil::start().await;
    let (payer, shop) = (anvil.account(1), anvil.account(2));
    anvil.send(payer, shop, 5).await;
    anvil.finalize().await;
    anvil.send(payer, shop, 7).await;
    let steps = Mutex::new(Vec::new());
    let input = Input { address: payer.to_string(), ..Input::default() };
    let told = |step, of, words: &str| steps.lock().unwrap().push((step, of, words.to_owned()));
    let report = wallet(&input, &anvil.chain(), &told).await.unwrap();
    assert_eq!((report.block.number, report.nonce), (2, 1), "the newest final block is two behind");
    assert_eq!(report.block.hash, alloy::hex::encode_prefixed(anvil.block_hash(2).await));
    let steps: Vec<(u32, u32)> = steps.lock().unwrap().iter().map(|(step, of, _)| (*step, *of)).collect();
    assert_eq!(steps, [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]);
}

/// Figures of a block that is not the node's own would be another chain's.
#[tokio::test]
async fn a_node_that_has_another_block_there_is_not_believed() {
    let anvil = Anvil::start().await;
    anvil.mine(3).await;
    let chain = anvil.chain();
    let at = chain.final_block().await.unwrap();
    let looks = [Look::Balance(anvil.account(1)), Look::view(SOMEBODY, vec![1, 2, 3, 4])];
    let logs = |at: &AtBlock| LogsOf { topics: [None; 3], first: 0, last: at.height };
    let saw = chain.state(&at, &looks).await.unwrap();
    assert_eq!(saw, [Saw::Number(Amount::from_atomic(10_000 * 10_u128.pow(18))), Saw::Bytes(Vec::new())]);
    assert_eq!(chain.written(&at, &[logs(&at)]).await.unwrap(), [Some(Vec::new())]);
    for other in [AtBlock { hash: [7; 32], ..at }, AtBlock { height: at.height + 100, ..at }] {
        assert!(chain.state(&other, &looks).await.is_err());
        assert!(chain.written(&other, &[logs(&other)]).await.is_err());
    }
    assert!(chain.healthy(), "the question was odd, the node is not");
}

#[tokio::test]
async fn a_silent_node_fails_the_run_and_the_same_payment_can_try_again() {
    let nowhere = Chain::new(settings(["http://127.0.0.1:1".parse().unwrap()]));
    let input = Input { address: SOMEBODY.to_string(), ..Input::default() };
    let begun = Instant::now();
    let failed: CallError = wallet(&input, &nowhere, &|_, _, _| {}).await.unwrap_err();
    assert_eq!((failed.code, failed.retry), (Code::AgentFailed, Retry::SamePayment));
    assert!(failed.error.contains("You were not charged"), "{}", failed.error);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

// --- how it is shown ---

fn html(view: impl FnOnce() -> AnyView) -> String {
    Owner::new().with(|| view().to_html())
}

#[test]
fn the_report_is_shown_as_data() {
    let mut report = sample();
    let evil = "<script>alert(1)</script>";
    report.tokens[0].symbol = Some(evil.to_owned());
    report.findings[0].title = evil.to_owned();
    report.summary = evil.to_owned();
    let shown = html(move || view! { <ReportView report/> }.into_any());
    assert!(!shown.contains("<script"), "an agent's text is never markup");
    assert!(shown.contains("&lt;script"), "but it is shown");
    assert!(!shown.contains("style="), "the page's policy allows no style attributes");
    for part in
        ["<tbody>", "severity medium", "scope=\"col\"", "<svg", "role=\"region\"", "wallet-unlimited", "aria-label=\"Which token"]
    {
        assert!(shown.contains(part), "{part} is not in the page");
    }
}

#[test]
fn the_form_tells_each_error_at_its_field() {
    let shown = html(|| {
        let input = RwSignal::new(Input { tokens: vec![SOMEBODY.to_string(), "0x12".to_owned()], ..Input::default() });
        let error = |field: &str, error: &str| FieldError { field: field.to_owned(), error: error.to_owned() };
        let errors = Signal::stored(vec![error("address", "Enter an address."), error("tokens[1]", "Too short.")]);
        view! { <Form input errors/> }.into_any()
    });
    for (field, error) in [("address", "Enter an address."), ("tokens", "Too short.")] {
        let place = shown.find(&format!("id=\"{field}-error\"")).expect("a place for it");
        assert!(shown[place..].find(error) < shown[place..].find("</p>"), "{field}: {shown}");
    }
    assert_eq!(shown.matches("aria-invalid").count(), 2, "only the fields that are wrong");
    assert!(!shown.contains("Use my wallet"), "there is none");
}
