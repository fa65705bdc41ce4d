//! Whether a network's nodes tell whose coin arrives inside somebody else's transaction, and what none of them could tell.

use super::Line;
use crate::{
    chain::Chain,
    ledger::{Books, BooksError, Rise, RiseState},
};

/// More are counted, not listed.
const LISTED_MAX: u32 = 20;

/// Which of the nodes that are asked for traces trace.
pub async fn who_traces(chain: &Chain) -> Line {
    let network = &chain.network().name;
    let nodes = chain.tracing_nodes().await;
    let those = |traces: bool| {
        let places =
            nodes.iter().zip(1_usize..).filter(|((_, said), _)| said.is_ok() == traces).map(|(_, place)| place.to_string());
        places.collect::<Vec<_>>().join(", ")
    };
    let of = if chain.settings().trace_urls.is_empty() { "rpc_urls" } else { "trace_urls" };
    match (those(true).as_str(), those(false).as_str()) {
        ("", _) => {
            let why = nodes.iter().find_map(|(_, said)| said.as_ref().err()).map(|why| format!(" ({why})")).unwrap_or_default();
            Line::todo(
                "tracing",
                format!(
                    "{network}: none of its {of} traces{why}. Whose coin arrives inside somebody else's transaction (a gas sponsor's, a Safe's, a \
                     batch) is then not known by itself: set trace_urls to nodes with debug_traceTransaction, or use coinslot credit"
                ),
            )
        }
        (those, "") => Line::ok("tracing", format!("{network}: all of its {of} trace ({those})")),
        (those, others) => Line::ok("tracing", format!("{network}: of its {of} {those} trace, {others} do not")),
    }
}

/// What arrived and has no payer yet.
pub async fn unexplained(books: &Books, chain: &Chain) -> Vec<Line> {
    match open(books, chain).await {
        Ok(lines) => lines,
        Err(cause) => vec![Line::bad("arrivals", cause.to_string())],
    }
}

async fn open(books: &Books, chain: &Chain) -> Result<Vec<Line>, BooksError> {
    let network = chain.network();
    let rises = books.rises(&network.id, RiseState::Open, LISTED_MAX + 1).await?;
    let listed = usize::try_from(LISTED_MAX).unwrap_or(usize::MAX);
    let mut lines: Vec<Line> = rises.iter().take(listed).map(|rise| Line::bad("arrivals", sentence(chain, rise))).collect();
    if rises.len() > listed {
        lines.push(Line::bad("arrivals", format!("{}: and more", network.name)));
    }
    Ok(lines)
}

/// One of them, and what to do.
pub fn sentence(chain: &Chain, rise: &Rise) -> String {
    let network = chain.network();
    let what = match rise.amount.is_zero() {
        true => "what arrived cannot be told".to_owned(),
        false => format!("{} arrived, and no node tells from whom", network.coin(rise.amount)),
    };
    format!(
        "{}, {}: {what}. It is booked by itself once one of its trace_urls answers; or by hand: coinslot credit --transaction HASH --payer ADDRESS",
        network.name,
        rise.blocks()
    )
}
