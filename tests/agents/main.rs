//! `make agents-check`: what the agents say, against what independent tools say of the same things, as a table.
//!
//! It needs those tools (`make setup FOR=agents`), so it is no part of `make test`. Each difference that is left is explained in
//! docs/agents.md; a row below its target fails the command.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../anvil/mod.rs"]
mod anvil;
mod contract_xray;
mod document_brief;
mod page_brief;
mod table;
mod tx_explainer;
mod wallet_report;
#[path = "../wallets/mod.rs"]
mod wallets;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let mut rows = Vec::new();
    rows.extend(contract_xray::rows());
    rows.extend(tx_explainer::rows().await);
    rows.extend(wallet_report::rows().await);
    rows.extend(document_brief::rows());
    rows.extend(page_brief::rows());
    table::print(&rows);
    if rows.iter().all(table::Row::is_met) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
