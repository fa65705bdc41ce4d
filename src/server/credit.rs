//! `coinslot credit`: an operator says whose a payment is, where the nodes cannot tell. The chain still says that it arrived, and how much.

use crate::{
    chain::{Chain, Sighting, Transfer},
    evm::{Address, TxHash},
    ledger::{Books, BooksError, Deposit, How},
    money::{Amount, Asset, Money},
    x402::{
        brought::{Difference, around, came, difference},
        desk::now_ms,
        native,
    },
};

use super::{
    check::{Line, missing_file},
    opening::{self, Kind},
    settings::Settings,
};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Claim {
    pub transaction: TxHash,
    pub payer: Address,
    /// By name, slug or id. `None`: the one that knows the transaction.
    pub network: Option<String>,
    /// `0.0001 MON`. `None`: all of it.
    pub amount: Option<String>,
    /// Who says so.
    pub by: String,
}

/// The user who runs this, as the system knows them.
pub fn system_user() -> String {
    let named = ["SUDO_USER", "USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    named.map(|name| name.trim().to_owned()).find(|name| !name.is_empty()).unwrap_or_else(numbered_user)
}

#[cfg(unix)]
fn numbered_user() -> String {
    format!("user {}", rustix::process::getuid().as_raw())
}

#[cfg(not(unix))]
fn numbered_user() -> String {
    "somebody".to_owned()
}

/// Longer names are no names.
const NAME_MAX: usize = 100;

/// Books it, or says why not.
pub async fn credit(settings: &Settings, claim: &Claim) -> Line {
    match try_credit(settings, claim).await {
        Ok(sentence) => Line::ok("credit", sentence),
        Err(why) => Line::bad("credit", why),
    }
}

async fn try_credit(settings: &Settings, claim: &Claim) -> Result<String, String> {
    let by = claim.by.trim();
    if by.is_empty() || by.chars().count() > NAME_MAX || by.chars().any(char::is_control) {
        return Err(format!("--by is a name of 1 to {NAME_MAX} characters"));
    }
    if let Some(file) = missing_file(settings).map_err(|cause| cause.to_string())? {
        return Err(format!("{} is not there: name the directory with --data", file.display()));
    }
    let books = opening::open_books(settings, Kind::Serve).await.map_err(|cause| cause.to_string())?;
    let chains = settings.networks.iter().cloned().map(Chain::new);
    let (chain, transfer) = find(chains.collect(), claim).await?;
    opening::meet(&books, &chain).await.map_err(|cause| cause.to_string())?.map_err(|away| away.to_string())?;
    let mut recipients = books.recipients().await.map_err(|cause| cause.to_string())?;
    recipients.extend(settings.pay_to);
    recipients.sort();
    recipients.dedup();
    if recipients.contains(&claim.payer) {
        return Err(format!("{} is where visitors pay to, not who pays", claim.payer));
    }
    let deposit = match deposit(&books, &chain, &transfer, claim, &recipients).await? {
        Found::New(deposit) => deposit,
        Found::HandedOn(of, amount) => {
            let money = chain.network().coin(amount);
            return match books.move_by_hand(&of, claim.payer, amount, by, now_ms()).await.map_err(|cause| cause.to_string())? {
                true => Ok(format!(
                    "{money} that {} handed on with transaction {} is now {}'s credit on {}, recorded as said by {by}",
                    of.payer,
                    claim.transaction,
                    claim.payer,
                    chain.network().name
                )),
                false => Err(format!("{}, or {} has no {money} of credit left", booked_already(claim), of.payer)),
            };
        }
    };
    let money = chain
        .network()
        .money(&deposit.asset, deposit.amount)
        .map_or_else(|| deposit.amount.to_string(), |money| money.to_string());
    match books.credit_by_hand(&deposit, by, now_ms()).await.map_err(|cause| cause.to_string())? {
        true => Ok(format!(
            "{money} of transaction {} is now {}'s credit on {}, recorded as said by {by}",
            claim.transaction,
            claim.payer,
            chain.network().name
        )),
        false => Err(booked_already(claim)),
    }
}

fn booked_already(claim: &Claim) -> String {
    format!("what {} sent with transaction {} is booked already, and is booked once", claim.payer, claim.transaction)
}

/// The network that holds the transaction, final and successful.
async fn find(chains: Vec<Chain>, claim: &Claim) -> Result<(Chain, Transfer), String> {
    let is_meant = |chain: &Chain| {
        let network = chain.network();
        claim.network.as_ref().is_none_or(|name| [&network.id, &network.slug, &network.name].contains(&name))
    };
    let mut said = Vec::new();
    for chain in chains.into_iter().filter(is_meant) {
        let name = chain.network().name.clone();
        match chain.lookup(claim.transaction).await {
            Ok(Sighting::Final(transfer)) if transfer.succeeded => return Ok((chain, transfer)),
            Ok(Sighting::Final(_)) => return Err(format!("the transaction failed on {name}: it moved nothing")),
            Ok(Sighting::Included(_)) => {
                return Err(format!("the transaction is not final on {name} yet: try again in a moment"));
            }
            Ok(Sighting::NotSeen) => said.push(format!("{name} does not know it")),
            Err(away) => said.push(away.to_string()),
        }
    }
    match said.is_empty() {
        true => Err("--network names none of `networks`".to_owned()),
        false => Err(format!("transaction {} was not found: {}", claim.transaction, said.join("; "))),
    }
}

/// What is to be credited.
enum Found {
    /// Nobody has it yet.
    New(Deposit),
    /// The calls say that a contract paid; so much of it is somebody's that it paid for.
    HandedOn(Deposit, Amount),
}

/// What is to be booked: a token's transfers where there are some of this payer, else coin.
async fn deposit(
    books: &Books,
    chain: &Chain,
    transfer: &Transfer,
    claim: &Claim,
    recipients: &[Address],
) -> Result<Found, String> {
    let network = chain.network();
    let wanted = match &claim.amount {
        Some(text) => match network.price(text) {
            Ok(Some(money)) if !money.amount.is_zero() => Some(money),
            _ => {
                return Err(format!(
                    "--amount {text:?} is no amount on {}: expected such as \"0.0001 {}\"",
                    network.name, network.symbol
                ));
            }
        },
        None => None,
    };
    let is_token = wanted.as_ref().is_some_and(|money| money.asset.token.is_some());
    let booked = books.deposits_in(&network.id, claim.transaction).await.map_err(|cause: BooksError| cause.to_string())?;
    let by = |(pay_to, asset, proof, amount): (Address, Asset, String, Amount)| Deposit {
        network: network.id.clone(),
        proof,
        transaction: claim.transaction,
        payer: claim.payer,
        pay_to,
        asset,
        amount,
        block: transfer.block,
        block_time_ms: transfer.block_time_ms,
        how: How::Hand,
    };
    if let Some((pay_to, money)) = tokens(books, chain, claim, recipients, &booked, wanted.as_ref()).await? {
        let proof = format!("transfer/{}/{}", money.asset.token.unwrap_or(Address([0; 20])), claim.transaction);
        return Ok(Found::New(by((pay_to, money.asset, proof, money.amount))));
    }
    if is_token {
        return Err(format!("{} sent no such token to us with this transaction, or all of it is booked", claim.payer));
    }
    let booked: Vec<Deposit> = booked.into_iter().filter(|deposit| deposit.asset.token.is_none()).collect();
    if booked.iter().any(|deposit| deposit.payer == claim.payer) {
        return Err(booked_already(claim));
    }
    let (pay_to, there) = match coin(books, chain, transfer, claim, recipients, &booked).await {
        Err(why) => match handed_on(chain, transfer, &booked, wanted.as_ref()).await {
            Some(found) => return Ok(found),
            None => return Err(why),
        },
        Ok(there) => there,
    };
    let amount = match wanted {
        Some(money) if money.amount > there => {
            return Err(format!("only {} of what arrived has no payer", network.coin(there)));
        }
        Some(money) => money.amount,
        None => there,
    };
    Ok(Found::New(by((pay_to, network.native(), native::proof_of(claim.transaction), amount))))
}

/// A contract that paid for others: all that the transaction brought is its credit, which no key can spend. `None`: nothing of that kind.
async fn handed_on(chain: &Chain, transfer: &Transfer, booked: &[Deposit], wanted: Option<&Money>) -> Option<Found> {
    let [of] = booked else { return None };
    let code = chain.code(of.payer).await.ok()?;
    let is_contract = !code.is_empty() && !code.starts_with(&[0xef, 0x01, 0x00]);
    let amount = wanted.map_or(of.amount, |money| money.amount);
    (transfer.to != Some(of.pay_to) && is_contract && amount <= of.amount).then(|| Found::HandedOn(of.clone(), amount))
}

/// Coin that the transaction brought and that has no payer yet.
async fn coin(
    books: &Books,
    chain: &Chain,
    transfer: &Transfer,
    claim: &Claim,
    recipients: &[Address],
    booked: &[Deposit],
) -> Result<(Address, Amount), String> {
    let nothing = || "nothing of this transaction is without a payer".to_owned();
    if let Some(pay_to) = transfer.to.filter(|to| recipients.contains(to)) {
        // Plain to see whose it is: no hand is needed to say otherwise.
        return match transfer.from == claim.payer && !transfer.value.is_zero() {
            true => Ok((pay_to, transfer.value)),
            false => Err(format!("{} sent this transaction: it is a plain transfer, and that account's", transfer.from)),
        };
    }
    let add = |sum: Amount, more: Amount| sum.plus(more).unwrap_or(sum);
    let taken = booked.iter().fold(Amount::ZERO, |sum, deposit| add(sum, deposit.amount));
    if let Ok(moves) = chain.moves(transfer.hash, &transfer.block_hash, recipients).await {
        let came = || moves.iter().filter(|one| recipients.contains(&one.to) && !recipients.contains(&one.from));
        let Some(pay_to) = came().map(|one| one.to).next() else {
            return Err("the transaction's calls brought nothing to us".to_owned());
        };
        let (mut all, mut theirs) = (Amount::ZERO, Amount::ZERO);
        for one in came() {
            all = add(all, one.value);
            if one.from == claim.payer {
                theirs = add(theirs, one.value);
            }
        }
        let rest = all.minus(taken).filter(|rest| !rest.is_zero()).ok_or_else(nothing)?;
        return Ok((pay_to, if theirs.is_zero() { rest } else { rest.min(theirs) }));
    }
    // No node traces: what its block brought besides what is plain to see, and booked.
    let Some((before, after, touched)) = around(chain, transfer.block, recipients).await else {
        return Err("no node traces, and none has the balances of its block: it cannot be told what arrived".to_owned());
    };
    for ((pay_to, (had, _)), (has, _)) in recipients.iter().zip(&before.accounts).zip(&after.accounts) {
        let here = books
            .deposits_between(&chain.network().id, *pay_to, before.height, after.height)
            .await
            .map_err(|cause| cause.to_string())?;
        if let Difference::Rose(amount) = difference(*had, *has, came(&touched, *pay_to, &here), touched.of(*pay_to).1) {
            return Ok((*pay_to, amount));
        }
    }
    Err(nothing())
}

/// Transfers of a token by this payer to us in this transaction, less what is booked of them. `None`: there are none.
async fn tokens(
    books: &Books,
    chain: &Chain,
    claim: &Claim,
    recipients: &[Address],
    booked: &[Deposit],
    wanted: Option<&Money>,
) -> Result<Option<(Address, Money)>, String> {
    let network = chain.network();
    if wanted.is_some_and(|money| money.asset.token.is_none()) {
        return Ok(None);
    }
    let record = chain.record(claim.transaction).await.map_err(|cause| cause.to_string())?;
    let logs = record.and_then(|record| record.included).map(|included| included.logs).unwrap_or_default();
    for token in &network.tokens {
        let asset = network.token_money(token, Amount::ZERO).asset;
        if wanted.is_some_and(|money| money.asset != asset) {
            continue;
        }
        let mut sum = Amount::ZERO;
        let mut pay_to = None;
        for log in logs.iter().filter(|log| log.address == token.address) {
            if let Some((from, to, value)) = crate::chain::token_transfer(&log.topics, &log.data)
                && from == claim.payer
                && recipients.contains(&to)
            {
                sum = sum.plus(value).unwrap_or(sum);
                pay_to = Some(to);
            }
        }
        let Some(pay_to) = pay_to else { continue };
        let theirs = booked.iter().filter(|deposit| deposit.payer == claim.payer && deposit.asset == asset);
        let taken = theirs.fold(Amount::ZERO, |sum, deposit| sum.plus(deposit.amount).unwrap_or(sum));
        let Some(rest) = sum.minus(taken).filter(|rest| !rest.is_zero()) else { return Err(booked_already(claim)) };
        if books.has_open_authorization(claim.payer, &asset).await.map_err(|cause| cause.to_string())? {
            return Err(format!(
                "a signed payment of {} in {} is still under way: what it comes to is booked by itself. Try again when it has ended",
                claim.payer, token.symbol
            ));
        }
        let amount = match wanted {
            Some(money) if money.amount > rest => return Err(format!("only {} of what arrived has no payer", money.with(rest))),
            Some(money) => money.amount,
            None => rest,
        };
        return Ok(Some((pay_to, network.token_money(token, amount))));
    }
    Ok(None)
}

/// Are there transfers of so much, in a token, by this payer, in that transaction?
///
/// # Errors
/// In which way the chain says something else.
pub(super) async fn confirm_token(chain: &Chain, deposit: &Deposit) -> Result<(), String> {
    let record = chain.record(deposit.transaction).await.map_err(|away| format!("it cannot be looked up now: {away}"))?;
    let included = record.and_then(|record| record.included).ok_or("the chain does not know its transaction")?;
    if included.block != deposit.block {
        return Err(format!("booked in block {}, it is in block {}", deposit.block, included.block));
    }
    let token = deposit.asset.token;
    let transfers = included.logs.iter().filter(|log| Some(log.address) == token);
    let theirs = transfers.filter_map(|log| crate::chain::token_transfer(&log.topics, &log.data));
    let theirs = theirs.filter(|(from, to, _)| *from == deposit.payer && *to == deposit.pay_to);
    let sum = theirs.fold(Amount::ZERO, |sum, (_, _, value)| sum.plus(value).unwrap_or(sum));
    if sum < deposit.amount { Err(format!("booked {}, paid {sum}", deposit.amount)) } else { Ok(()) }
}
