//! What a run was about, against the SHA-256 that was written down with it: a stored answer is what its payer bought, byte for byte, and every
//! replay is these bytes. Content that was deleted has nothing to compare.

use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::Row;

use super::Findings;
use crate::ledger::{
    columns::hex,
    store::{Result, Tx},
};

pub(super) async fn audit_contents(tx: &mut Tx, found: &mut Findings) -> Result<()> {
    let mut rows = sqlx::query(
        "select run_id, input, input_sha256, output, output_sha256 from runs
         where input is not null or output is not null or output_sha256 is not null order by run_id",
    )
    .fetch(&mut **tx);
    while let Some(row) = rows.try_next().await? {
        let run: String = row.try_get("run_id")?;
        let (input, output): (Option<String>, Option<String>) = (row.try_get("input")?, row.try_get("output")?);
        let input_hash: String = row.try_get("input_sha256")?;
        let output_hash: Option<String> = row.try_get("output_sha256")?;
        if input.is_some_and(|input| hex(Sha256::digest(input)) != input_hash) {
            found.add(format_args!("run {run}: its input is not what was asked, its SHA-256 is another"));
        }
        match (output, output_hash) {
            (Some(output), Some(hash)) if hex(Sha256::digest(&output)) != hash => {
                found.add(format_args!("run {run}: its answer is not what was sold, its SHA-256 is another"));
            }
            (Some(_), None) => found.add(format_args!("run {run}: it has an answer, but not its SHA-256")),
            _ => {}
        }
    }
    Ok(())
}
