//! The session's view, from the books.

use std::collections::HashMap;

use super::{Arrived, SessionView};
use crate::{
    error::CallError,
    ledger::{Run, Session, watches::Arrival},
    money::{Amount, Asset, Money},
    run::RunState,
    x402::{
        call::broken,
        desk::{Desk, now_ms},
        native,
    },
};

/// What the signed-in wallet has with us, where its session counts; the empty view for nobody.
pub async fn of(desk: &Desk, who: Option<Session>) -> Result<SessionView, CallError> {
    let Some(session) = who else { return Ok(SessionView::default()) };
    let wallet = session.wallet;
    let mut balances = desk.books.balances(wallet).await.map_err(broken)?;
    balances.retain(|(asset, _)| session.counts_on(&asset.network));
    let mut under_way = desk.books.under_way(wallet, now_ms()).await.map_err(broken)?;
    under_way.retain(|run| session.counts_on(&run.network));
    let mut progress = match under_way.iter().any(|run| run.state == RunState::Running) {
        true => desk.books.progress_of(wallet).await.map_err(broken)?,
        false => HashMap::new(),
    };
    let view = |run: &Run| desk.view_with(run, progress.remove(&run.id).unwrap_or_default());
    let mut arrivals = desk.books.arrivals(wallet).await.map_err(broken)?;
    arrivals.retain(|arrival| session.counts_on(&arrival.watch.network));
    Ok(SessionView {
        address: Some(wallet),
        expires_at_ms: Some(session.until_ms),
        credit: spendable(desk, balances),
        under_way: under_way.iter().map(view).collect(),
        arrived: arrivals.into_iter().filter_map(|arrival| arrived(desk, arrival)).collect(),
        answered: desk.books.answered_watches(wallet).await.map_err(broken)?,
    })
}

/// What is spent to the last wei is no credit any more.
pub fn spendable(desk: &Desk, balances: Vec<(Asset, Amount)>) -> Vec<Money> {
    balances
        .into_iter()
        .filter(|(_, amount)| !amount.is_zero())
        .filter_map(|(asset, amount)| desk.money(&asset, amount))
        .collect()
}

fn arrived(desk: &Desk, arrival: Arrival) -> Option<Arrived> {
    let transaction = native::transaction_of(&arrival.proof)?;
    let chain = desk.chain(&arrival.watch.network)?;
    Some(Arrived {
        watch: arrival.id,
        transaction,
        transaction_url: chain.network().transaction_url(transaction),
        network: arrival.watch.network,
        agent: arrival.watch.agent,
        input: arrival.watch.input,
    })
}
