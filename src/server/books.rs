//! `coinslot books`: proves that the books balance, and with `--chain` that every deposit is what the chain says.

mod balance;

use std::fmt;

use super::check::{Line, missing_file};
use super::{credit, settings::Settings};
use crate::{
    chain::{At, Chain, Seen, Sighting, SignedTransfer, Transfer},
    evm::{Address, TxHash},
    ledger::{Books, BooksError, Deposit},
    x402::authorization::{booked_payer, booked_transfer},
};

/// Deposits that are read at once.
const PAGE: u32 = 500;

/// Reads only; the books may be open elsewhere at the same time.
pub async fn prove(settings: &Settings, with_chain: bool) -> Vec<Line> {
    let bad = |error: &dyn fmt::Display| vec![Line::bad("books", error.to_string())];
    match missing_file(settings) {
        Ok(None) => {}
        Ok(Some(file)) => return bad(&format!("{} is not there: name the directory with --data", file.display())),
        Err(cause) => return bad(&cause),
    }
    let url = match settings.database() {
        Ok(url) => url,
        Err(cause) => return bad(&cause),
    };
    let books = match Books::open(&url).await {
        Ok(books) => books,
        Err(cause) => return bad(&cause),
    };
    let mut lines = add_up(&books).await;
    let chains: Vec<_> = settings.networks.iter().cloned().map(Chain::new).collect();
    lines.extend(balance::told(&books, &chains).await);
    if with_chain {
        lines.extend(look_up(&books, &chains, None).await);
        lines.extend(balance::prove(&books, &chains, settings.pay_to).await);
    }
    lines
}

async fn add_up(books: &Books) -> Vec<Line> {
    match books.audit().await {
        Ok(audit) if audit.findings.is_empty() => {
            let (deposits, runs, entries) = (audit.deposits, audit.runs, audit.entries);
            vec![Line::ok("books", format!("in balance: {deposits} deposits, {runs} runs, {entries} entries"))]
        }
        Ok(audit) => audit.findings.into_iter().map(|finding| Line::bad("books", finding)).collect(),
        Err(cause) => vec![Line::bad("books", cause.to_string())],
    }
}

/// The same of one network, with its chain: whatever is wrong on others does not matter. No line is bad: it is clean.
pub async fn prove_one(books: &Books, chain: &Chain, pay_to: Option<Address>) -> Vec<Line> {
    let mut lines = add_up(books).await;
    let chains = std::slice::from_ref(chain);
    lines.extend(balance::told(books, chains).await);
    lines.extend(look_up(books, chains, Some(&chain.network().id)).await);
    lines.extend(balance::prove(books, chains, pay_to).await);
    lines
}

/// Looks every deposit up again, or those of one network.
async fn look_up(books: &Books, chains: &[Chain], network: Option<&String>) -> Vec<Line> {
    let mut lines = Vec::new();
    let (mut after, mut found) = (String::new(), 0_u64);
    loop {
        let page = match books.deposits_after(&after, PAGE).await {
            Ok(page) => page,
            Err(cause) => {
                lines.push(unreadable(&cause));
                break;
            }
        };
        let Some((last, _)) = page.last() else { break };
        after.clone_from(last);
        for (id, deposit) in page.iter().filter(|(_, deposit)| network.is_none_or(|network| *network == deposit.network)) {
            match confirm(deposit, chains).await {
                Ok(()) => found += 1,
                Err(why) => {
                    lines.push(Line::bad("chain", format!("deposit {id} ({} on {}): {why}", deposit.proof, deposit.network)))
                }
            }
        }
    }
    if lines.is_empty() {
        lines.push(Line::ok("chain", format!("all {found} deposits are as the chain says")));
    }
    lines
}

fn unreadable(cause: &BooksError) -> Line {
    Line::bad("books", cause.to_string())
}

/// # Errors
/// In which way the chain says something else.
async fn confirm(deposit: &Deposit, chains: &[Chain]) -> Result<(), String> {
    let chain = chains.iter().find(|chain| chain.network().id == deposit.network);
    let chain = chain.ok_or("its network is not among `networks`")?;
    if let Some(transfer) = booked_transfer(deposit) {
        return confirm_settlement(deposit, &transfer, chain).await;
    }
    if deposit.asset.token.is_some() {
        return credit::confirm_token(chain, deposit).await;
    }
    let hash: Option<TxHash> = deposit.proof.strip_prefix("tx/").and_then(|hash| hash.parse().ok());
    let hash = hash.ok_or("its proof is no transaction")?;
    match chain.lookup(hash).await {
        Ok(Sighting::Final(transfer)) if is_inside(deposit, &transfer) => {
            balance::confirm_inside(chain, deposit, &transfer.block_hash).await
        }
        Ok(Sighting::Final(transfer)) => compare(deposit, &transfer),
        Ok(Sighting::Included(_)) => Err("its block is not final".to_owned()),
        Ok(Sighting::NotSeen) => Err("the chain does not know its transaction".to_owned()),
        Err(away) => Err(format!("it cannot be looked up now: {away}")),
    }
}

async fn confirm_settlement(deposit: &Deposit, transfer: &SignedTransfer, chain: &Chain) -> Result<(), String> {
    // What the proof says is what was shown to us; the other columns are what was booked.
    if let Some(payer) = booked_payer(deposit).filter(|payer| *payer != deposit.payer) {
        return Err(format!("booked for {}, its authorization is of {payer}", deposit.payer));
    }
    // Searched is from its block on, for transfers from this payer to this recipient, of this amount.
    match chain.look(transfer, Some(deposit.transaction), deposit.block, At::Final).await {
        Ok(Seen::Paid { transaction, .. } | Seen::Wrapped { transaction, .. }) if transaction != deposit.transaction => {
            Err(format!("booked as {}, it is {transaction}", deposit.transaction))
        }
        Ok(Seen::Paid { block, .. } | Seen::Wrapped { block, .. }) if block != deposit.block => {
            Err(format!("booked in block {}, it is in block {block}", deposit.block))
        }
        Ok(Seen::Paid { .. } | Seen::Wrapped { .. }) => Ok(()),
        Ok(Seen::Unclear) => Err("its node does not tell what its authorization was used for".to_owned()),
        Ok(Seen::Unused { .. }) => {
            Err(format!("its authorization is unused on the chain: {} paid nothing with it", deposit.payer))
        }
        Ok(Seen::Elsewhere) => Err(format!(
            "its authorization was used for something else: it moved no {} from {} to {}",
            deposit.amount, deposit.payer, deposit.pay_to
        )),
        Err(away) => Err(format!("it cannot be looked up now: {away}")),
    }
}

/// It was no plain transfer: its calls moved the coin.
fn is_inside(deposit: &Deposit, transfer: &Transfer) -> bool {
    transfer.succeeded && transfer.block == deposit.block && transfer.to != Some(deposit.pay_to)
}

fn compare(deposit: &Deposit, transfer: &Transfer) -> Result<(), String> {
    if !transfer.succeeded {
        return Err("its transaction was reverted".to_owned());
    }
    if transfer.from != deposit.payer {
        return Err(format!("booked for {}, paid by {}", deposit.payer, transfer.from));
    }
    match transfer.to {
        Some(to) if to == deposit.pay_to => {}
        Some(to) => return Err(format!("booked as paid to {}, it went to {to}", deposit.pay_to)),
        None => return Err(format!("booked as paid to {}, it created a contract", deposit.pay_to)),
    }
    if deposit.transaction != transfer.hash {
        return Err(format!("booked as {}, it is {}", deposit.transaction, transfer.hash));
    }
    if transfer.value != deposit.amount {
        return Err(format!("booked {}, paid {}", deposit.amount, transfer.value));
    }
    if transfer.block != deposit.block {
        return Err(format!("booked in block {}, it is in block {}", deposit.block, transfer.block));
    }
    Ok(())
}
