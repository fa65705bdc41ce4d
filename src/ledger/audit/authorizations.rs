//! Each authorization with its run and its deposit: it is settled if that is there, and only then.

use futures::TryStreamExt;
use sqlx::{Row, any::AnyRow};

use super::Findings;
use crate::ledger::store::{Result, Tx};

pub(super) async fn audit_authorizations(tx: &mut Tx, found: &mut Findings) -> Result<()> {
    let mut rows = sqlx::query(
        "select a.run_id, a.state, a.network, a.payer, a.asset, a.amount, a.pay_to, a.settle_first, a.valid_before_ms, a.answer,
                r.state as run_state, r.network as run_network, r.payer as run_payer, r.asset as run_asset, r.price,
                d.deposit_id, d.asset as deposit_asset, d.amount as deposit_amount, d.pay_to as deposit_pay_to
         from authorizations a
         left join runs r on r.run_id = a.run_id
         left join deposits d on d.network = r.network and d.proof = r.proof and d.payer = r.payer
         order by a.run_id",
    )
    .fetch(&mut **tx);
    while let Some(row) = rows.try_next().await? {
        for sentence in findings(&row)? {
            let run: String = row.try_get("run_id")?;
            found.add(format_args!("authorization of run {run}: {sentence}"));
        }
    }
    Ok(())
}

fn findings(row: &AnyRow) -> Result<Vec<&'static str>> {
    let text = |column: &str| row.try_get::<Option<String>, _>(column);
    let Some(run_state) = text("run_state")? else { return Ok(vec!["its run is not there"]) };
    let state = text("state")?.unwrap_or_default();
    let under_way = matches!(&*run_state, "held" | "running");
    let settle_first = row.try_get::<i64, _>("settle_first")? == 1;
    let signed = (text("asset")?, text("amount")?);
    let mut found = Vec::new();
    if (text("network")?, text("payer")?) != (text("run_network")?, text("run_payer")?) {
        found.push("its run is somebody else's");
    }
    // What it pays is its price; settled first, it is credit, and the price is judged then.
    if !settle_first && text("price")?.is_some() && state != "settled" && (text("run_asset")?, text("price")?) != signed {
        found.push("its run has another price");
    }
    match (state.as_str(), text("deposit_id")?) {
        ("settled", Some(_)) => {
            let came = (text("deposit_asset")?, text("deposit_amount")?);
            if came != signed || text("deposit_pay_to")? != text("pay_to")? {
                found.push("its deposit is not what was signed");
            }
        }
        ("settled", None) => found.push("it is settled, but its deposit is not there"),
        (_, Some(_)) => found.push("it is not settled, but its deposit is there"),
        (_, None) => {}
    }
    if state == "unused" && (under_way || run_state == "waiting") {
        found.push("it was given up, but its run waits for it");
    }
    if state == "open" && settle_first && !matches!(&*run_state, "waiting" | "void") {
        found.push("it is to be settled first, but its run went on");
    }
    if state == "open" && !settle_first && run_state == "waiting" {
        found.push("it is to be settled after the work, but its run waits");
    }
    if text("answer")?.is_some() && run_state != "running" {
        found.push("an answer is withheld that nothing is to be settled for");
    }
    Ok(found)
}

/// A run is paid by a transaction, from credit, or by an authorization, and then that is there.
pub(super) async fn audit_proofs(tx: &mut Tx, found: &mut Findings) -> Result<()> {
    let mut rows = sqlx::query(
        "select r.run_id from runs r
         where r.proof not like 'tx/%' and r.proof not like 'credit/%'
           and not exists (select 1 from authorizations a where a.run_id = r.run_id)
         order by r.run_id",
    )
    .fetch(&mut **tx);
    while let Some(row) = rows.try_next().await? {
        let run: String = row.try_get("run_id")?;
        found.add(format_args!("run {run}: the authorization that pays it is not there"));
    }
    Ok(())
}
