//! A run that an authorization pays: its end. The answer is stored and withheld, the payment settled, and only then is the run done.
//!
//! Promises: one settlement is booked once, whoever tells of it, from which instance and however often; nobody gets an answer before its
//! payment is final, nor after it failed; whatever arrives for a run that cannot use it is its payer's credit.
//!
//! Somebody else may send an authorization while the agent works. The money is then here early, and is held as if it had been paid so
//! from the beginning: captured with the answer, or released when the agent fails.

use sha2::{Digest, Sha256};

use super::{
    authorizations::{AuthorizationState, run_state, set_state, take_authorization},
    columns::hex,
    deposits::{Deposit, How, record},
    entries::{Account, EventKind, Side, What, move_money, take},
    runs::{Run, store_error, whole},
    store::{Books, BooksError, Result, Tx, again},
};
use crate::{error::CallError, evm::Address, run::RunState};

impl Books {
    /// `running`: stores the agent's answer, withheld; what is left is to settle. If somebody settled it meanwhile, the run is done at
    /// once. `false`: the lease was lost, nothing was written.
    ///
    /// # Errors
    /// [`BooksError::Refused`] for a run that no authorization pays: those are captured.
    pub async fn answered(&self, run: &str, token: &str, answer: &str, engine: &str, now_ms: i64) -> Result<bool> {
        match again(|| self.try_answered(run, token, answer, engine)).await? {
            Answered::Stored => Ok(true),
            Answered::LeaseLost => Ok(false),
            // It stays settled, so nothing can come between.
            Answered::SettledBefore => self.capture(run, token, answer, engine, now_ms).await,
        }
    }

    async fn try_answered(&self, run: &str, token: &str, answer: &str, engine: &str) -> Result<Answered> {
        let mut tx = self.begin().await?;
        let Some(taken) = take_authorization(&mut tx, run).await? else {
            return Err(BooksError::refused(format_args!("no authorization pays run {run}")));
        };
        if taken.state == AuthorizationState::Settled {
            return Ok(Answered::SettledBefore);
        }
        // Taken too, so that no other worker gets the run before we have ended.
        let ours = sqlx::query("update runs set error = null where run_id = $1 and state = 'running' and lease_token = $2")
            .bind(run)
            .bind(token)
            .execute(&mut *tx)
            .await?;
        if ours.rows_affected() == 0 {
            return Ok(Answered::LeaseLost);
        }
        // The first answer stands: it may be settled for already.
        sqlx::query("update authorizations set answer = $2, engine = $3 where run_id = $1 and answer is null")
            .bind(run)
            .bind(answer)
            .bind(engine)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(Answered::Stored)
    }

    /// Books a final transfer of this run's authorization, whatever state the run is in, and needs no lease:
    ///
    /// | the run | then |
    /// |---|---|
    /// | running, its answer stored | deposit and capture in one event; it is done, and its answer its output |
    /// | held, or running without an answer | deposit, and its price is held: it goes on as if it had been paid so |
    /// | waiting for its settlement | deposit to its payer's credit; it waits to be judged |
    /// | failed, void | deposit to its payer's credit |
    ///
    /// `false`: nothing changed. It was booked before; or it is wrapped, and what its transaction moved is booked for another authorization:
    /// then this one is still open, and nobody is done.
    ///
    /// # Errors
    /// [`BooksError::Refused`] for a deposit that is not this run's authorization: another proof, payer, asset, amount or recipient.
    pub async fn settle(&self, run: &str, deposit: &Deposit, now_ms: i64) -> Result<bool> {
        self.settle_one_of(run, deposit, 1, now_ms).await
    }

    /// The same, of a wrapped transaction that has so many equal transfers of this payer.
    ///
    /// # Errors
    /// As [`Books::settle`].
    pub async fn settle_one_of(&self, run: &str, deposit: &Deposit, of: u64, now_ms: i64) -> Result<bool> {
        again(|| async {
            let run = self.run(run).await?.ok_or_else(|| BooksError::refused(format_args!("there is no run {run}")))?;
            is_of(deposit, &run)?;
            // Balances are taken first, and only where they are needed: what we read tells which, unless it changes in this moment.
            let is_answered = |run: &Run| run.authorization.as_ref().is_some_and(|paid| paid.answered);
            if is_answered(&run) && run.state == RunState::Running {
                match self.settle_answered(&run, deposit, of, now_ms).await? {
                    Settled::Booked => return Ok(true),
                    Settled::Before => return Ok(false),
                    Settled::NotSo => {}
                }
            }
            self.settle_to_payer(&run, deposit, of, now_ms).await
        })
        .await
    }

    /// One event, from the chain to the agent's revenue. Touches no balance.
    async fn settle_answered(&self, run: &Run, deposit: &Deposit, of: u64, now_ms: i64) -> Result<Settled> {
        let mut tx = self.begin().await?;
        let taken = take_authorization(&mut tx, &run.id).await?;
        let Some((answer, engine)) = taken.and_then(|taken| taken.answer) else { return Ok(Settled::NotSo) };
        let Some(id) = record(&mut tx, self.id(now_ms)?, deposit, of, now_ms).await? else { return Ok(Settled::Before) };
        if !self.done_by(&mut tx, run, (deposit, &id), (&answer, &engine), now_ms).await? {
            return Ok(Settled::NotSo);
        }
        tx.commit().await?;
        Ok(Settled::Booked)
    }

    /// `false`: the run is not running any more; drop the transaction.
    async fn done_by(
        &self,
        tx: &mut Tx,
        run: &Run,
        (deposit, id): (&Deposit, &str),
        (answer, engine): (&str, &str),
        now_ms: i64,
    ) -> Result<bool> {
        let done = sqlx::query(
            "update runs set state = 'done', output = $2, output_sha256 = $3, engine = $4, finished_ms = $5, error = null,
                             error_final = 0, lease_token = null, lease_until_ms = null
             where run_id = $1 and state = 'running'",
        )
        .bind(&run.id)
        .bind(answer)
        .bind(hex(Sha256::digest(answer)))
        .bind(engine)
        .bind(now_ms)
        .execute(&mut **tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        // It is the run's output now, and nowhere else.
        sqlx::query("update authorizations set answer = null, engine = null where run_id = $1")
            .bind(&run.id)
            .execute(&mut **tx)
            .await?;
        set_state(tx, &run.id, AuthorizationState::Settled).await?;
        let event = self.event(EventKind::Settle, What::Settlement { run: &run.id, deposit: id }, now_ms)?;
        let (chain, revenue) = (Side::Sum(Account::Chain(&deposit.network)), Side::Sum(Account::Revenue(&run.agent)));
        move_money(tx, &event, &deposit.asset, deposit.amount, chain, revenue).await?;
        let ended = whole(tx, &run.id).await?;
        assert_eq!(ended.state, RunState::Done, "money moved for a run that succeeded");
        assert_eq!(ended.price, Some((deposit.asset.clone(), deposit.amount)), "what was settled is the price");
        Ok(true)
    }

    /// To the payer's balance; held at once where the run is under way.
    async fn settle_to_payer(&self, run: &Run, deposit: &Deposit, of: u64, now_ms: i64) -> Result<bool> {
        let mut tx = self.begin().await?;
        let mut credit = take(&mut tx, &Account::Payer(deposit.payer), &deposit.asset).await?;
        let mut held = take(&mut tx, &Account::Held(deposit.payer), &deposit.asset).await?;
        let taken = take_authorization(&mut tx, &run.id).await?;
        let Some(id) = record(&mut tx, self.id(now_ms)?, deposit, of, now_ms).await? else { return Ok(false) };
        let state = run_state(&mut tx, &run.id).await?;
        if let (RunState::Running, Some((answer, engine))) = (state, taken.and_then(|taken| taken.answer)) {
            // Answered in this very moment.
            let done = self.done_by(&mut tx, run, (deposit, &id), (&answer, &engine), now_ms).await?;
            assert!(done, "only who has the authorization's row ends a run that was answered");
        } else {
            let event = self.event(EventKind::Deposit, What::Deposit(&id), now_ms)?;
            let chain = Side::Sum(Account::Chain(&deposit.network));
            move_money(&mut tx, &event, &deposit.asset, deposit.amount, chain, Side::Row(&mut credit)).await?;
            if matches!(state, RunState::Held | RunState::Running) {
                let price = whole(&mut tx, &run.id).await?.price;
                assert_eq!(price, Some((deposit.asset.clone(), deposit.amount)), "what was settled is the price");
                let event = self.event(EventKind::Hold, What::Run(&run.id), now_ms)?;
                move_money(&mut tx, &event, &deposit.asset, deposit.amount, Side::Row(&mut credit), Side::Row(&mut held)).await?;
            }
            set_state(&mut tx, &run.id, AuthorizationState::Settled).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// `running` → `void`: it cannot be settled now, the chain says so. The answer is dropped. Counts as a failure of its payer, whose
    /// money or signature went elsewhere while we worked. The authorization stays open until its time is over: it may yet be sent.
    /// `false`: the lease was lost, or it was settled after all; nothing was written.
    pub async fn settlement_failed(&self, run: &str, token: &str, why: &CallError, now_ms: i64) -> Result<bool> {
        self.fail(run, token, why, AuthorizationState::Open, now_ms).await
    }

    /// The same, of an authorization that final blocks show will never pay: used for something else, taken back, or over. It ends with its
    /// run: `open` → `unused`.
    pub async fn settlement_over(&self, run: &str, token: &str, why: &CallError, now_ms: i64) -> Result<bool> {
        self.fail(run, token, why, AuthorizationState::Unused, now_ms).await
    }

    async fn fail(&self, run: &str, token: &str, why: &CallError, then: AuthorizationState, now_ms: i64) -> Result<bool> {
        let why = store_error(why)?;
        again(|| async {
            let Some(payer) = self.run(run).await?.map(|run| run.payer) else { return Ok(false) };
            let mut tx = self.begin().await?;
            let open = take_authorization(&mut tx, run).await?.is_some_and(|taken| taken.state == AuthorizationState::Open);
            let void = sqlx::query(
                "update runs set state = 'void', asset = null, price = null, error = $3, error_final = 0, finished_ms = $4,
                                 lease_token = null, lease_until_ms = null
                 where run_id = $1 and state = 'running' and lease_token = $2",
            )
            .bind(run)
            .bind(token)
            .bind(&why)
            .bind(now_ms)
            .execute(&mut *tx)
            .await?;
            if !open || void.rows_affected() == 0 {
                return Ok(false);
            }
            // Nobody will ever read it.
            sqlx::query("update authorizations set answer = null, engine = null where run_id = $1")
                .bind(run)
                .execute(&mut *tx)
                .await?;
            set_state(&mut tx, run, then).await?;
            self.count_failure(&mut tx, run, payer, now_ms).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    /// A failure that no entry tells of.
    pub(super) async fn count_failure(&self, tx: &mut Tx, run: &str, payer: Address, now_ms: i64) -> Result<()> {
        sqlx::query("insert into failures (failure_id, run_id, payer, failed_ms) values ($1, $2, $3, $4)")
            .bind(self.id(now_ms)?)
            .bind(run)
            .bind(payer.to_string())
            .bind(now_ms)
            .execute(&mut **tx)
            .await?;
        Ok(())
    }
}

enum Answered {
    Stored,
    LeaseLost,
    SettledBefore,
}

enum Settled {
    Booked,
    Before,
    /// The run was not as it had been read.
    NotSo,
}

fn is_of(deposit: &Deposit, run: &Run) -> Result<()> {
    let Some(authorization) = &run.authorization else {
        return Err(BooksError::refused(format_args!("no authorization pays run {}", run.id)));
    };
    let same = matches!(deposit.how, How::Settlement | How::Wrapped)
        && (&deposit.network, &deposit.proof, deposit.payer) == (&run.network, &run.proof, run.payer)
        && (&deposit.asset, deposit.amount, deposit.pay_to) == (&authorization.asset, authorization.amount, authorization.pay_to);
    if same { Ok(()) } else { Err(BooksError::refused(format_args!("the deposit is not the authorization of run {}", run.id))) }
}
