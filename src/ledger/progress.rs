//! How far the work of a run is, as rows: written by the worker that has the run, read by whoever may read the run, on any instance.
//!
//! Promises: only the holder of the lease writes; a run has [`STEPS_MAX`] steps at most, of its last attempt; numbers go up and never
//! back, so that a reader who was away misses nothing that still stands. No money depends on any of it.

use std::collections::HashMap;

use sqlx::{Row, any::AnyRow};

use super::{
    columns::read,
    store::{Books, BooksError, Result, Tx, again},
};
use crate::{
    evm::Address,
    run::{Progress, RunState, STEPS_MAX, Step},
};

/// A row, as a listener gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Higher than all that were written for this run before it.
    pub seq: i64,
    /// `None`: the work began again, and the steps of before do not count.
    pub step: Option<Step>,
}

/// What there is to tell of a run, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub state: RunState,
    pub written: Vec<Written>,
}

/// How an attempt begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// No attempt before it has told anything.
    Anew,
    /// Whoever heard the one before is told that it began again.
    Again,
    /// The lease was lost, nothing was written.
    NotOurs,
}

impl Books {
    /// Before the work of an attempt. Where an earlier one told how far it was, that is forgotten, and the new beginning is marked.
    pub async fn begin_progress(&self, run: &str, token: &str, now_ms: i64) -> Result<Begun> {
        // Most runs are begun once, and cost this one look.
        let earlier: Option<i64> =
            sqlx::query_scalar("select max(seq) from progress where run_id = $1").bind(run).fetch_one(&self.pool).await?;
        if earlier.is_none() {
            return Ok(Begun::Anew);
        }
        again(|| async {
            let mut tx = self.begin().await?;
            if !is_ours(&mut tx, run, token).await? {
                return Ok(Begun::NotOurs);
            }
            let seq = next_seq(&mut tx, run).await?;
            sqlx::query("delete from progress where run_id = $1").bind(run).execute(&mut *tx).await?;
            let again = Step { step: 0, of: 0, words: String::new(), at_ms: now_ms };
            insert(&mut tx, run, 0, seq, &again).await?;
            tx.commit().await?;
            Ok(Begun::Again)
        })
        .await
    }

    /// The steps from this one on (0: the first), as they are now. `false`: the lease was lost, nothing was written.
    ///
    /// # Errors
    /// [`BooksError::Refused`] for more than [`STEPS_MAX`].
    pub async fn write_progress(&self, run: &str, token: &str, from: usize, steps: &[Step]) -> Result<bool> {
        if from + steps.len() > STEPS_MAX {
            return Err(BooksError::refused(format_args!("a run has {STEPS_MAX} steps at most")));
        }
        again(|| async {
            let mut tx = self.begin().await?;
            if !is_ours(&mut tx, run, token).await? {
                return Ok(false);
            }
            let first = next_seq(&mut tx, run).await?;
            for ((place, seq), step) in (from + 1..).zip(first..).zip(steps) {
                let place = i64::try_from(place).map_err(|_| BooksError::refused("a step too far"))?;
                insert(&mut tx, run, place, seq, step).await?;
            }
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    /// The run's state, and what was written of its work above `seq` (0: all). `None`: there is no such run.
    pub async fn hear(&self, run: &str, seq: i64) -> Result<Option<Heard>> {
        let rows = sqlx::query(
            "select r.state, p.place, p.seq, p.step, p.of_steps, p.words, p.at_ms
             from runs r left join progress p on p.run_id = r.run_id and p.seq > $2
             where r.run_id = $1 order by p.seq",
        )
        .bind(run)
        .bind(seq)
        .fetch_all(&self.pool)
        .await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let state: RunState = read(first, "state")?;
        let mut written = Vec::new();
        for row in &rows {
            if let Some(seq) = row.try_get::<Option<i64>, _>("seq")? {
                let step = if row.try_get::<i64, _>("place")? == 0 { None } else { Some(step_of(row)?) };
                written.push(Written { seq, step });
            }
        }
        Ok(Some(Heard { state, written }))
    }

    /// Of one run, whatever its state.
    pub async fn progress(&self, run: &str) -> Result<Progress> {
        let rows = sqlx::query("select place, step, of_steps, words, at_ms from progress where run_id = $1 order by place")
            .bind(run)
            .fetch_all(&self.pool)
            .await?;
        let mut progress = Progress::default();
        rows.iter().try_for_each(|row| put(&mut progress, row))?;
        Ok(progress)
    }

    /// Of all runs of a payer that are running, by their ids.
    pub async fn progress_of(&self, payer: Address) -> Result<HashMap<String, Progress>> {
        let rows = sqlx::query(
            "select p.run_id, p.place, p.step, p.of_steps, p.words, p.at_ms
             from runs r join progress p on p.run_id = r.run_id
             where r.payer = $1 and r.state = 'running' order by p.run_id, p.place",
        )
        .bind(payer.to_string())
        .fetch_all(&self.pool)
        .await?;
        let mut all: HashMap<String, Progress> = HashMap::new();
        for row in &rows {
            put(all.entry(row.try_get("run_id")?).or_default(), row)?;
        }
        Ok(all)
    }
}

fn put(progress: &mut Progress, row: &AnyRow) -> Result<()> {
    if row.try_get::<i64, _>("place")? == 0 {
        progress.again = true;
    } else {
        progress.steps.push(step_of(row)?);
    }
    Ok(())
}

fn step_of(row: &AnyRow) -> Result<Step> {
    let count = |column: &str| -> Result<u32> {
        let number: i64 = row.try_get(column)?;
        u32::try_from(number).map_err(|_| BooksError::Corrupt(format!("{column}: {number}")))
    };
    Ok(Step { step: count("step")?, of: count("of_steps")?, words: row.try_get("words")?, at_ms: row.try_get("at_ms")? })
}

/// Takes the run's row, so that whoever leases it next comes after what we write.
async fn is_ours(tx: &mut Tx, run: &str, token: &str) -> Result<bool> {
    let taken = sqlx::query(
        "update runs set lease_until_ms = lease_until_ms where run_id = $1 and state = 'running' and lease_token = $2",
    )
    .bind(run)
    .bind(token)
    .execute(&mut **tx)
    .await?;
    Ok(taken.rows_affected() == 1)
}

async fn next_seq(tx: &mut Tx, run: &str) -> Result<i64> {
    let last: Option<i64> =
        sqlx::query_scalar("select max(seq) from progress where run_id = $1").bind(run).fetch_one(&mut **tx).await?;
    Ok(last.unwrap_or(0) + 1)
}

async fn insert(tx: &mut Tx, run: &str, place: i64, seq: i64, step: &Step) -> Result<()> {
    sqlx::query(
        "insert into progress (run_id, place, seq, step, of_steps, words, at_ms) values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (run_id, place) do update
         set seq = excluded.seq, step = excluded.step, of_steps = excluded.of_steps, words = excluded.words, at_ms = excluded.at_ms",
    )
    .bind(run)
    .bind(place)
    .bind(seq)
    .bind(i64::from(step.step))
    .bind(i64::from(step.of))
    // What an agent quotes may hold the one character that PostgreSQL keeps in no text.
    .bind(step.words.replace('\0', "\u{fffd}"))
    .bind(step.at_ms)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
