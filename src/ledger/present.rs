//! A run's beginning: a payment is shown for a call.
//!
//! Promises: one proof of one presenter is one run, however often and from where it is shown at once; a wallet has few payments that
//! are waited for and that nobody has seen, and few calls from credit that nothing was held for.

use super::{
    followed::is_of_a_run,
    replacing::as_replaced,
    runs::{
        FOLLOWED_MS, NEVER_HELD_MAX, NEVER_HELD_WITHIN_MS, NewRun, Presented, Run, SealedTerms, UNSEEN_MAX, run_of, select_runs,
        whole,
    },
    store::{Books, BooksError, Result, Tx, again},
    watches::{ShownBy, arrival_is_used},
};
use crate::{
    evm::Address,
    money::{Amount, Asset},
    run::RunState,
};

/// A proof's kinds here: a transaction's hash, or a client's own UUID for what is paid from credit. Authorizations are claimed.
pub(super) const PAYMENT: &str = "tx/";
const CREDIT: &str = "credit/";

impl Books {
    /// Before anything is waited for, and before the chain is asked.
    ///
    /// # Errors
    /// [`BooksError::Refused`] for a proof of no known kind, or terms in an asset of another network.
    pub async fn present(&self, new: &NewRun, now_ms: i64) -> Result<Presented> {
        if !new.proof.starts_with(PAYMENT) && !new.proof.starts_with(CREDIT) {
            return Err(BooksError::refused("a proof is tx/… or credit/…"));
        }
        if new.terms.as_ref().is_some_and(|terms| terms.asset.network != new.network) {
            return Err(BooksError::refused("an offer is of the network that its payment is on"));
        }
        again(|| self.try_present(new, now_ms)).await
    }

    async fn try_present(&self, new: &NewRun, now_ms: i64) -> Result<Presented> {
        let mut tx = self.begin().await?;
        let replaced = as_replaced(&mut tx, new).await?;
        let new = replaced.as_ref().unwrap_or(new);
        if let Some(run) = payment_id_taken(&mut tx, new, now_ms).await? {
            return Ok(Presented::PaymentIdTaken(run));
        }
        let presented = match shown_before(&mut tx, new).await? {
            Some(run) => shown_again(&mut tx, new, run, now_ms).await?,
            None if is_unseen(new) && unseen_of(&mut tx, new, now_ms).await? => return Ok(Presented::TooManyUnseen),
            None if too_many_void(&mut tx, new, now_ms).await? => return Ok(Presented::TooManyVoid),
            None if insert(&mut tx, new, None, now_ms).await? => Presented::New(whole(&mut tx, &new.id).await?),
            // Somebody was faster by a moment.
            None => match shown_before(&mut tx, new).await? {
                Some(run) => shown_again(&mut tx, new, run, now_ms).await?,
                None => return Err(BooksError::refused(format_args!("the id {} is taken", new.id))),
            },
        };
        if let Presented::New(_) | Presented::Same(_) = presented {
            let by = ShownBy { wallet: new.payer, agent: &new.agent, input: &new.input };
            arrival_is_used(&mut tx, &new.network, &by, &new.proof, now_ms).await?;
            is_of_a_run(&mut tx, &new.network, &new.proof, new.payer).await?;
        }
        tx.commit().await?;
        Ok(presented)
    }
}

fn is_unseen(new: &NewRun) -> bool {
    new.proof.starts_with(PAYMENT)
}

/// The run that this payer used the payment id for, if it is another payment or another call. Who brings an id has his presenter row
/// taken: two payments with one id are seen one after the other.
pub(super) async fn payment_id_taken(tx: &mut Tx, new: &NewRun, now_ms: i64) -> Result<Option<Run>> {
    let Some(id) = &new.payment_id else { return Ok(None) };
    take_presenter(tx, &new.payer.to_string(), now_ms).await?;
    let row = sqlx::query(select_runs!("where r.payer = $1 and r.payment_id = $2"))
        .bind(new.payer.to_string())
        .bind(id)
        .fetch_optional(&mut **tx)
        .await?;
    let same = |run: &Run| {
        (&run.network, &run.proof, &run.agent, &run.input_sha256) == (&new.network, &new.proof, &new.agent, &new.input_sha256)
    };
    Ok(row.as_ref().map(run_of).transpose()?.filter(|run| !same(run)))
}

pub(super) async fn shown_before(tx: &mut Tx, new: &NewRun) -> Result<Option<Run>> {
    shown_by(tx, &new.network, &new.proof, new.payer).await
}

pub(super) async fn shown_by(tx: &mut Tx, network: &str, proof: &str, presenter: Address) -> Result<Option<Run>> {
    let row = sqlx::query(select_runs!("where r.network = $1 and r.proof = $2 and r.payer = $3"))
        .bind(network)
        .bind(proof)
        .bind(presenter.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(run_of).transpose()
}

/// A run that was void for a reason that may be gone waits again, so that it is judged again.
async fn shown_again(tx: &mut Tx, new: &NewRun, run: Run, now_ms: i64) -> Result<Presented> {
    if run.agent != new.agent || run.input_sha256 != new.input_sha256 {
        return Ok(Presented::OtherUse(run));
    }
    let waits = run.state == RunState::Waiting || run.may_be_judged_again();
    let followed = run.state == RunState::Waiting && run.presented_ms > now_ms.saturating_sub(FOLLOWED_MS);
    // Old ones, all shown again at once, would be as many as fresh ones.
    if waits && !followed && run.deposit_block.is_none() && is_unseen(new) && unseen_of(tx, new, now_ms).await? {
        return Ok(Presented::TooManyUnseen);
    }
    is_shown(tx, &run, new, waits, now_ms).await?;
    if let (true, None, Some(terms)) = (waits, &run.terms, &new.terms) {
        add_terms(tx, &run, terms).await?;
    }
    add_payment_id(tx, &run, new).await?;
    Ok(Presented::Same(whole(tx, &run.id).await?))
}

/// `waits`: if it is void, it waits again, and has its input again where the sweep took it (`forgetting`).
pub(super) async fn is_shown(tx: &mut Tx, run: &Run, new: &NewRun, waits: bool, now_ms: i64) -> Result<()> {
    if run.state == RunState::Void && waits {
        sqlx::query(
            "update runs set state = 'waiting', error = null, error_final = 0, finished_ms = null, presented_ms = $2,
                             input = coalesce(input, $3)
             where run_id = $1 and state = 'void'",
        )
        .bind(&run.id)
        .bind(now_ms)
        .bind(&new.input)
    } else {
        // An instance whose clock is behind takes nothing from it.
        sqlx::query("update runs set presented_ms = $2 where run_id = $1 and presented_ms < $2").bind(&run.id).bind(now_ms)
    }
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A bare hash was first, and now the page that has the offer shows the same payment: its sealed price holds.
async fn add_terms(tx: &mut Tx, run: &Run, terms: &SealedTerms) -> Result<()> {
    sqlx::query(
        "update runs set terms_price = $2, terms_asset = $3, terms_issued_ms = $4, terms_expires_ms = $5, terms_nonce_sha256 = $6
         where run_id = $1 and state = 'waiting' and terms_price is null",
    )
    .bind(&run.id)
    .bind(terms.price.to_string())
    .bind(terms.asset.to_string())
    .bind(terms.issued_ms)
    .bind(terms.expires_ms)
    .bind(&terms.nonce_sha256)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The first id that a payment is shown with stays its id; that no other payment has it was looked for before.
pub(super) async fn add_payment_id(tx: &mut Tx, run: &Run, new: &NewRun) -> Result<()> {
    let Some(id) = &new.payment_id else { return Ok(()) };
    sqlx::query("update runs set payment_id = $2 where run_id = $1 and payment_id is null")
        .bind(&run.id)
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Until our transaction ends, nobody else counts what this one has: a wallet, or `agent:<slug>` (`claim`).
pub(super) async fn take_presenter(tx: &mut Tx, who: &str, now_ms: i64) -> Result<()> {
    sqlx::query(
        "insert into presenters (wallet, presented_ms) values ($1, $2)
         on conflict (wallet) do update set presented_ms = excluded.presented_ms",
    )
    .bind(who)
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn unseen_of(tx: &mut Tx, new: &NewRun, now_ms: i64) -> Result<bool> {
    too_many_unseen(tx, &new.network, &new.proof, new.payer, now_ms).await
}

/// Other payments of this wallet, on any network, that somebody waits for and nobody has seen: of runs, and those that were shown without a call.
pub(super) async fn too_many_unseen(tx: &mut Tx, network: &str, proof: &str, wallet: Address, now_ms: i64) -> Result<bool> {
    take_presenter(tx, &wallet.to_string(), now_ms).await?;
    let (of_runs, of_no_run): (i64, i64) = sqlx::query_as(
        "select
             (select count(*) from runs r
              where r.payer = $1 and r.state in ('waiting', 'held', 'running') and r.state = 'waiting' and r.presented_ms > $2
                and r.proof like 'tx/%'
                and not (r.network = $3 and r.proof = $4)
                and not exists (select 1 from deposits d where d.network = r.network and d.proof = r.proof)),
             (select count(*) from followed_transactions f
              where f.presenter = $1 and f.shown_ms > $2
                and not (f.network = $3 and f.proof = $4)
                and not exists (select 1 from deposits d where d.network = f.network and d.proof = f.proof))",
    )
    .bind(wallet.to_string())
    .bind(now_ms.saturating_sub(FOLLOWED_MS))
    .bind(network)
    .bind(proof)
    .fetch_one(&mut **tx)
    .await?;
    Ok(of_runs + of_no_run >= i64::from(UNSEEN_MAX))
}

/// A client's own UUID costs nothing to make, nor does the hash of somebody else's transaction, and every one that is shown is a row. What is booked to
/// the payer is their own, whatever they showed before.
async fn too_many_void(tx: &mut Tx, new: &NewRun, now_ms: i64) -> Result<bool> {
    take_presenter(tx, &new.payer.to_string(), now_ms).await?;
    let kind = if is_unseen(new) { PAYMENT } else { CREDIT };
    let (never_held, theirs): (i64, i64) = sqlx::query_as(
        "select
             (select count(*) from runs
              where payer = $1 and state in ('waiting', 'void') and presented_ms > $2 and proof like $3),
             (select count(*) from deposits where network = $4 and proof = $5 and payer = $1)",
    )
    .bind(new.payer.to_string())
    .bind(now_ms.saturating_sub(NEVER_HELD_WITHIN_MS))
    .bind(format!("{kind}%"))
    .bind(&new.network)
    .bind(&new.proof)
    .fetch_one(&mut **tx)
    .await?;
    Ok(theirs == 0 && never_held >= i64::from(NEVER_HELD_MAX))
}

/// Waiting, or held for a price that no entry holds: an authorization's. `false`: this presenter showed this proof before.
pub(super) async fn insert(tx: &mut Tx, new: &NewRun, held_for: Option<(&Asset, Amount)>, now_ms: i64) -> Result<bool> {
    let terms = new.terms.as_ref();
    let state = if held_for.is_some() { RunState::Held } else { RunState::Waiting };
    let inserted = sqlx::query(
        "insert into runs (run_id, agent, version, payer, state, input, input_sha256, network, proof, payment_id, terms_price,
                           terms_asset, terms_issued_ms, terms_expires_ms, terms_nonce_sha256, asset, price, key_sha256, created_ms,
                           presented_ms, held_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $19, $20)
         on conflict (network, proof, payer) do nothing",
    )
    .bind(&new.id)
    .bind(&new.agent)
    .bind(&new.version)
    .bind(new.payer.to_string())
    .bind(state.word())
    .bind(&new.input)
    .bind(&new.input_sha256)
    .bind(&new.network)
    .bind(&new.proof)
    .bind(&new.payment_id)
    .bind(terms.map(|terms| terms.price.to_string()))
    .bind(terms.map(|terms| terms.asset.to_string()))
    .bind(terms.map(|terms| terms.issued_ms))
    .bind(terms.map(|terms| terms.expires_ms))
    .bind(terms.map(|terms| &terms.nonce_sha256))
    .bind(held_for.map(|(asset, _)| asset.to_string()))
    .bind(held_for.map(|(_, price)| price.to_string()))
    .bind(&new.key_sha256)
    .bind(now_ms)
    .bind(held_for.map(|_| now_ms))
    .execute(&mut **tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}
