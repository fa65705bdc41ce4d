//! The pages' data, from the books. Nothing here asks a chain: history works while the RPC is down (E8).

use http::{HeaderMap, StatusCode, request::Parts};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

use super::{Charged, Demo, History, Line, Shop, Snippet, Statement, What, fee};
use crate::{
    agents::{self, OnSale, answer},
    error::{CallError, Code},
    ledger::{
        Run, Session,
        credit::{EventKind, StatementLine},
    },
    pages::agent::snippets,
    run::RunView,
    server::api::readable,
    session::{SessionView, guard::signed_in, view},
    x402::{call::broken, desk::Desk, native},
};

/// Rows of one page.
const PAGE: u32 = 50;

fn desk() -> Result<Desk, CallError> {
    use_context().ok_or_else(|| Code::Internal.into())
}

/// The request that is being rendered, or that called the function.
fn headers() -> HeaderMap {
    use_context::<Parts>().map(|parts| parts.headers).unwrap_or_default()
}

/// An error of a function that was called over HTTP keeps its own status; while rendering, the status is the page's affair.
pub fn told<T>(outcome: Result<T, CallError>) -> Result<T, CallError> {
    if let Err(why) = &outcome
        && use_context::<Parts>().is_some_and(|parts| parts.uri.path().starts_with("/api/page/"))
        && let (Some(response), Ok(status)) = (use_context::<ResponseOptions>(), StatusCode::from_u16(why.code.status()))
    {
        response.set_status(status);
    }
    outcome
}

async fn signed_in_here(desk: &Desk) -> Result<Session, CallError> {
    signed_in(desk, &headers()).await?.ok_or_else(|| Code::NotSignedIn.into())
}

pub fn shop() -> Result<Shop, CallError> {
    let desk = desk()?;
    Ok(Shop {
        networks: desk.chains.iter().map(|chain| chain.network().clone()).collect(),
        pay_to: desk.pay_to,
        prices: desk.agents.iter().map(|agent| (agent.card.slug.to_owned(), desk.prices(agent.card))).collect(),
        public_url: desk.public_url.clone(),
        demo: use_context::<Demo>(),
    })
}

pub fn snippets(slug: &str) -> Result<Vec<Snippet>, CallError> {
    let desk = desk()?;
    let agent = desk.agent(slug).ok_or(Code::NoSuchAgent)?;
    let price = desk.prices(agent.card).into_iter().find_map(|money| {
        let network = desk.chain(&money.asset.network)?.network();
        let token = network.token(money.asset.token?)?;
        Some(snippets::Price { money: money.clone(), network, token })
    });
    let url = format!("{}{}", desk.public_url, agent.card.endpoint());
    Ok(snippets::all(&snippets::Call { url: &url, input: &agent.example, price }))
}

pub async fn session() -> Result<SessionView, CallError> {
    let desk = desk()?;
    let who = signed_in(&desk, &headers()).await?;
    view::of(&desk, who).await
}

pub async fn history(before: Option<String>) -> Result<History, CallError> {
    let desk = desk()?;
    let session = signed_in_here(&desk).await?;
    let wallet = session.wallet;
    let mut runs = desk.books.runs_of(wallet, id(before.as_deref())?, PAGE).await.map_err(broken)?;
    let more = (runs.len() == PAGE as usize).then(|| runs.last().map(|run| run.id.clone())).flatten();
    runs.retain(|run| session.counts_on(&run.network));
    let mut progress = desk.books.progress_of(wallet).await.map_err(broken)?;
    let view = |run: &Run| desk.view_with(run, progress.remove(&run.id).unwrap_or_default());
    Ok(History { runs: runs.iter().map(view).collect(), more })
}

pub async fn run(id: String, key: Option<String>) -> Result<RunView, CallError> {
    let desk = desk()?;
    let run = readable(&desk, &headers(), &id, key.as_deref()).await?;
    let progress = desk.books.progress(&run.id).await.map_err(broken)?;
    Ok(desk.view_with(&run, progress))
}

pub async fn charged(id: String, key: Option<String>) -> Result<Option<Charged>, CallError> {
    let desk = desk()?;
    let run = readable(&desk, &headers(), &id, key.as_deref()).await?;
    Ok(fee::of(&desk, &run).await)
}

pub async fn report(id: String, key: Option<String>) -> Result<String, CallError> {
    let run = readable(&desk()?, &headers(), &id, key.as_deref()).await?;
    run.output.map(|output| answer::html(&run.agent, &output)).ok_or_else(|| Code::NoSuchRun.into())
}

pub fn sample(slug: &str) -> Result<String, CallError> {
    agents::find(slug).and_then(OnSale::sample).ok_or_else(|| Code::NoSuchAgent.into())
}

pub async fn statement(before: Option<String>) -> Result<Statement, CallError> {
    let desk = desk()?;
    let session = signed_in_here(&desk).await?;
    let wallet = session.wallet;
    let mut balances = desk.books.balances(wallet).await.map_err(broken)?;
    balances.retain(|(asset, _)| session.counts_on(&asset.network));
    let mut lines = desk.books.statement(wallet, id(before.as_deref())?, PAGE).await.map_err(broken)?;
    let more = (lines.len() == PAGE as usize).then(|| lines.last().map(|line| line.event.clone())).flatten();
    lines.retain(|line| session.counts_on(&line.asset.network));
    Ok(Statement {
        credit: view::spendable(&desk, balances),
        more,
        lines: lines.into_iter().filter_map(|row| line(&desk, row)).collect(),
    })
}

fn line(desk: &Desk, row: StatementLine) -> Option<Line> {
    let transaction = row.transaction.as_deref().and_then(|hash| hash.parse().ok());
    let name = |slug: String| desk.agent(&slug).map_or(slug, |agent| agent.card.name.to_owned());
    Some(Line {
        id: row.event,
        at_ms: row.at_ms,
        what: match row.kind {
            EventKind::Deposit | EventKind::Move => What::Deposit,
            EventKind::Hold => What::Hold,
            // A settlement touches no credit, so no line is one.
            EventKind::Capture | EventKind::Settle => What::Capture,
            EventKind::Release => What::Release,
        },
        money: desk.money(&row.asset, row.amount)?,
        run: row.run,
        agent: row.agent.map(name),
        transaction_url: transaction.and_then(|hash| desk.chain(&row.network)?.network().transaction_url(hash)),
        transaction: transaction.or_else(|| native::transaction_of(row.transaction.as_deref()?)),
    })
}

/// A cursor is an id of ours, or nothing.
fn id(text: Option<&str>) -> Result<Option<&str>, CallError> {
    match text.filter(|text| !text.is_empty()) {
        Some(text) if text.parse::<uuid::Uuid>().is_err() => Err(Code::BadJson.into()),
        text => Ok(text),
    }
}
