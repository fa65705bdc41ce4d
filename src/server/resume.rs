//! `coinslot resume`: an operator has looked at a halted network, and takes its payments again.
//!
//! Only where the books are clean on its chain, and where its nodes agree about the block that had changed: else it would be halted again, or what
//! was booked is not there.

use super::{
    books::prove_one,
    check::{Line, State, missing_file},
    network_state,
    opening::{self, Kind},
    settings::Settings,
};
use crate::{
    chain::{Chain, Cursor, Stands},
    ledger::{Books, deposits::ReadTo},
};

/// Reopens the network (its table's name, slug or CAIP-2 id), or says why not.
pub async fn resume(settings: &Settings, name: &str) -> Vec<Line> {
    match try_resume(settings, name).await {
        Ok(sentence) => vec![Line::ok("resume", sentence)],
        Err(lines) => lines,
    }
}

fn bad(why: impl Into<String>) -> Vec<Line> {
    vec![Line::bad("resume", why)]
}

async fn try_resume(settings: &Settings, name: &str) -> Result<String, Vec<Line>> {
    if let Some(file) = missing_file(settings).map_err(|cause| bad(cause.to_string()))? {
        return Err(bad(format!("{} is not there: name the directory with --data", file.display())));
    }
    let meant = settings.networks.iter().find(|one| {
        let network = &one.network;
        [&network.id, &network.slug, &network.name].into_iter().any(|known| known.eq_ignore_ascii_case(name))
    });
    let Some(meant) = meant else {
        let known: Vec<&str> = settings.networks.iter().map(|one| one.network.slug.as_str()).collect();
        return Err(bad(format!("{name} is none of the networks: {}", known.join(", "))));
    };
    let books = opening::open_books(settings, Kind::Serve).await.map_err(|cause| bad(cause.to_string()))?;
    let resumed = reopen(&books, &Chain::new(meant.clone()), settings).await;
    books.close().await;
    resumed
}

async fn reopen(books: &Books, chain: &Chain, settings: &Settings) -> Result<String, Vec<Line>> {
    let (id, name) = (&chain.network().id, &chain.network().name);
    let broken = |cause: crate::ledger::BooksError| bad(cause.to_string());
    let Some(halt) = books.halt_of(id).await.map_err(broken)? else {
        return Ok(format!("{name} is not halted: its payments are taken"));
    };
    match opening::meet(books, chain).await {
        Ok(Ok(())) => {}
        Ok(Err(away)) => return Err(bad(format!("{name} stays halted: {away}"))),
        Err(wrong) => return Err(bad(format!("{name} stays halted: {wrong}"))),
    }
    let now_there = match books.read_to(id).await.map_err(broken)? {
        None => None,
        Some(read_to) => block_of(chain, read_to).await.map_err(|why| bad(format!("{name} stays halted: {why}")))?,
    };
    let proven = prove_one(books, chain, settings.pay_to).await;
    let mut wrong: Vec<Line> = proven.into_iter().filter(|line| line.state == State::Bad).collect();
    if !wrong.is_empty() {
        wrong.extend(bad(format!("{name} stays halted: coinslot books --chain is not clean, as said above")));
        return Err(wrong);
    }
    match books.resume(id, now_there).await.map_err(broken)? {
        true => Ok(format!(
            "{name} is open again: its payments are taken by every instance. Until now {}",
            network_state::sentence(&halt)
        )),
        false => Err(bad(format!("{name} was changed while it was looked at: try again"))),
    }
}

/// The block at the height that was read to, where it is another one than was read. `None`: it is the same.
///
/// # Errors
/// The nodes do not agree about it, or do not say.
async fn block_of(chain: &Chain, read_to: ReadTo) -> Result<Option<ReadTo>, String> {
    let cursor = Cursor { height: read_to.height, hash: read_to.hash };
    let height = cursor.height;
    let mut found: Option<(String, [u8; 32])> = None;
    for (node, stands) in chain.each_stands_on(cursor).await {
        let hash = match stands {
            Ok(Stands::Same) => cursor.hash,
            Ok(Stands::Changed(hash)) => hash,
            Err(cause) => {
                tracing::debug!("node {node} does not say which block {height} is: {cause}");
                continue;
            }
        };
        match &found {
            Some((before, known)) if *known != hash => {
                return Err(format!(
                    "nodes {before} and {node} have different blocks {height}: take the wrong one out of its rpc_urls"
                ));
            }
            Some(_) => {}
            None => found = Some((node, hash)),
        }
    }
    match found {
        None => Err(format!("no node says which block {height} is, or they are all behind it")),
        Some((_, hash)) => Ok((hash != cursor.hash).then_some(ReadTo { height, hash })),
    }
}
