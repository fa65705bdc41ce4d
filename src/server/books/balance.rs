//! `coinslot books --chain`, the whole: what a recipient had when the shop first looked, and what was booked since, less what left, is what is there.

use crate::{
    chain::Chain,
    evm::Address,
    ledger::{Books, BooksError, Deposit, Explained, How, RiseState},
    money::Amount,
    server::check::{Line, arrivals::sentence},
    x402::{
        brought::{Difference, around, difference},
        desk::now_ms,
    },
};

/// More are counted, not listed.
const LISTED_MAX: u32 = 20;

/// Blocks after the last look that are read here, where the shop has not looked at them yet.
const READ_MAX: u64 = 256;

/// What nobody explained, and what was explained by hand, whatever the chains say.
pub async fn told(books: &Books, chains: &[Chain]) -> Vec<Line> {
    try_told(books, chains).await.unwrap_or_else(|cause| vec![Line::bad("books", cause.to_string())])
}

async fn try_told(books: &Books, chains: &[Chain]) -> Result<Vec<Line>, BooksError> {
    let mut lines = Vec::new();
    for chain in chains {
        let network = chain.network();
        for rise in books.rises(&network.id, RiseState::Open, LISTED_MAX).await? {
            lines.push(Line::bad("arrivals", sentence(chain, &rise)));
        }
        for rise in books.rises(&network.id, RiseState::Nobody, LISTED_MAX).await? {
            let amount = network.coin(rise.amount);
            lines.push(Line::ok(
                "arrivals",
                format!("{}, {}: {amount} came by no call, and is nobody's credit", network.name, rise.blocks()),
            ));
        }
    }
    for (deposit, by) in books.hand_credits().await? {
        let amount = match chains.iter().find_map(|chain| chain.network().money(&deposit.asset, deposit.amount)) {
            Some(money) => money.to_string(),
            None => format!("{} of {}", deposit.amount, deposit.asset),
        };
        let Deposit { transaction, payer, .. } = deposit;
        lines.push(Line::ok("by hand", format!("{amount} of transaction {transaction} is {payer}'s credit, as {by} said")));
    }
    Ok(lines)
}

/// Of each network, whether the balance is what the books say.
pub async fn prove(books: &Books, chains: &[Chain], pay_to: Option<Address>) -> Vec<Line> {
    let Some(pay_to) = pay_to else { return Vec::new() };
    let mut lines = Vec::new();
    for chain in chains {
        lines.push(match of(books, chain, pay_to).await {
            Ok(line) => line,
            Err(cause) => Line::bad("books", cause.to_string()),
        });
    }
    lines
}

async fn of(books: &Books, chain: &Chain, pay_to: Address) -> Result<Line, BooksError> {
    let network = chain.network();
    let name = &network.name;
    let coin = |amount| network.coin(amount);
    let Some(explained) = books.explained(&network.id, pay_to).await? else {
        return Ok(Line::todo("balance", format!("{name}: the shop has not looked at {pay_to} yet: serve does")));
    };
    let Explained { opened: (opened_height, opened), at, left } = explained;
    let deposits = books.deposits_between(&network.id, pay_to, opened_height, at.height).await?;
    let add = |sum: Amount, more: Amount| sum.plus(more).unwrap_or(sum);
    let deposited = deposits.iter().fold(Amount::ZERO, |sum, deposit| add(sum, deposit.amount));
    let unbooked = books.unbooked(&network.id, pay_to, opened_height).await?;
    let words = format!(
        "{} at the start (block {opened_height}) + {} of deposits{} − {} that left",
        coin(opened),
        coin(deposited),
        if unbooked.is_zero() { String::new() } else { format!(" + {} that nobody sent or nobody can tell", coin(unbooked)) },
        coin(left),
    );
    match difference(opened, at.balance, add(deposited, unbooked), left) {
        Difference::None => {}
        Difference::Rose(more) => return Ok(Line::bad("balance", format!("{name}: {} more are there than {words}", coin(more)))),
        Difference::Fell(less) => return Ok(Line::bad("balance", format!("{name}: {} less are there than {words}", coin(less)))),
    }
    // The books agree with themselves; now with the chain.
    match chain.stood(at.height, &[pay_to]).await {
        Ok(stood) if stood.hash != at.hash => {
            Ok(Line::bad("balance", format!("{name}: block {} is another one than was looked at", at.height)))
        }
        Ok(stood) => match stood.accounts.first() {
            Some((balance, _)) if *balance != at.balance => Ok(Line::bad(
                "balance",
                format!("{name}: {words} = {}, and in block {} there are {}", coin(at.balance), at.height, coin(*balance)),
            )),
            _ => since(books, chain, pay_to, explained, &words).await,
        },
        Err(_) => since(books, chain, pay_to, explained, &words).await,
    }
}

/// From the last look to the newest final block: a shop that is closed does not look.
async fn since(books: &Books, chain: &Chain, pay_to: Address, explained: Explained, words: &str) -> Result<Line, BooksError> {
    let (network, at) = (chain.network(), explained.at);
    let (name, coin) = (&network.name, |amount| network.coin(amount));
    let proven =
        || Line::ok("balance", format!("{name}: {words} = {} in block {}, as the chain says", coin(at.balance), at.height));
    let away = |cause: &dyn std::fmt::Display| Line::bad("balance", format!("{name}: it cannot be looked up now: {cause}"));
    let head = match chain.final_head().await {
        Ok(head) => head,
        Err(cause) => return Ok(away(&cause)),
    };
    if head <= at.height {
        return Ok(proven());
    }
    let (balance, nonce) = match chain.stood(head, &[pay_to]).await.map(|stood| stood.accounts.first().copied()) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(proven()),
        Err(cause) => return Ok(away(&cause)),
    };
    let booked = books.deposits_between(&network.id, pay_to, at.height, head).await?;
    let came = booked.iter().fold(Amount::ZERO, |sum, deposit| sum.plus(deposit.amount).unwrap_or(sum));
    let mut left = Amount::ZERO;
    if nonce != at.nonce && head - at.height > READ_MAX {
        let words = format!("{name}: {words} = {} in block {}", coin(at.balance), at.height);
        return Ok(Line::todo("balance", format!("{words}; what came and left since then is looked at when the shop is open")));
    }
    for height in (at.height + 1..=head).filter(|_| nonce != at.nonce) {
        match chain.touched(height, &[pay_to]).await {
            Ok(touched) => left = left.plus(touched.of(pay_to).1).unwrap_or(left),
            Err(cause) => return Ok(away(&cause)),
        }
    }
    // A shop that is open has not looked yet, one whose network is halted looks when it goes on; one that is closed will not look by itself.
    let is_open = books.is_leased(&crate::x402::till::lease_name(&network.id), now_ms()).await?;
    let not_booked = if is_open || books.halted(&network.id).await?.is_some() { Line::todo } else { Line::bad };
    Ok(match difference(at.balance, balance, came, left) {
        Difference::None => proven(),
        Difference::Rose(more) => not_booked(
            "balance",
            format!(
                "{name}: {} arrived after block {} and is not booked yet: serve finds out whose it is",
                coin(more),
                at.height
            ),
        ),
        Difference::Fell(less) => {
            Line::bad("balance", format!("{name}: {} less are there than the books say, since block {}", coin(less), at.height))
        }
    })
}

/// A deposit that no plain transfer was: do the transaction's calls say the same?
///
/// # Errors
/// In which way they say something else, or that no node tells.
pub async fn confirm_inside(chain: &Chain, deposit: &Deposit, block_hash: &[u8; 32]) -> Result<(), String> {
    match chain.moves(deposit.transaction, block_hash, &[deposit.pay_to]).await {
        Ok(moves) => {
            let came = moves.iter().filter(|one| one.to == deposit.pay_to);
            let (mut theirs, mut all) = (Amount::ZERO, Amount::ZERO);
            for one in came {
                all = all.plus(one.value).unwrap_or(all);
                if one.from == deposit.payer {
                    theirs = theirs.plus(one.value).unwrap_or(theirs);
                }
            }
            match deposit.how {
                // Whose it is was said by a person; that it came, the calls say.
                How::Hand if deposit.amount <= all => Ok(()),
                How::Hand => Err(format!("booked {} by hand, its calls brought {all}", deposit.amount)),
                _ if theirs == deposit.amount => Ok(()),
                _ => Err(format!(
                    "booked {} from {} to {}, its calls brought {theirs}",
                    deposit.amount, deposit.payer, deposit.pay_to
                )),
            }
        }
        // No node traces: then its block says at least that so much came.
        Err(cause) => match around(chain, deposit.block, &[deposit.pay_to]).await {
            Some((before, after, touched)) => {
                let (Some((had, _)), Some((has, _))) = (before.accounts.first(), after.accounts.first()) else {
                    return Err("its block cannot be read".to_owned());
                };
                let (came, left) = touched.of(deposit.pay_to);
                match difference(*had, *has, came, left) {
                    Difference::Rose(more) if more >= deposit.amount => Ok(()),
                    _ => Err(format!("its block did not bring {} besides plain transfers", deposit.amount)),
                }
            }
            None => Err(format!("no node tells what its calls moved: {cause}")),
        },
    }
}
