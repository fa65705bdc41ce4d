//! What agents said of their work: bounded, of a run that is there, and gone with the run's content.

use futures::TryStreamExt;
use sqlx::Row;

use super::Findings;
use crate::{
    ledger::store::{Result, Tx},
    run::{STEPS_MAX, WORDS_MAX},
};

pub(super) async fn audit_progress(tx: &mut Tx, found: &mut Findings) -> Result<()> {
    let mut rows = sqlx::query(
        "select p.run_id, count(*) as steps, cast(max(length(p.words)) as bigint) as longest,
                cast(max(case when r.run_id is null then 1 else 0 end) as bigint) as alone,
                cast(max(case when r.run_id is not null and r.input is null then 1 else 0 end) as bigint) as deleted
         from progress p left join runs r on r.run_id = p.run_id
         group by p.run_id order by p.run_id",
    )
    .fetch(&mut **tx);
    while let Some(row) = rows.try_next().await? {
        let run: String = row.try_get("run_id")?;
        let number = |column: &str| row.try_get::<i64, _>(column);
        if is(number("alone"))? {
            found.add(format_args!("progress is told of run {run}, which is not there"));
        }
        if is(number("deleted"))? {
            found.add(format_args!("run {run}: its content was deleted, but not what was said of its work"));
        }
        // The mark that it began again is a row too.
        if number("steps")? > bound(STEPS_MAX + 1) || number("longest")? > bound(WORDS_MAX) {
            found.add(format_args!("run {run}: more was said of its work than is ever written"));
        }
    }
    Ok(())
}

fn is(flag: sqlx::Result<i64>) -> Result<bool> {
    Ok(flag? == 1)
}

fn bound(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}
