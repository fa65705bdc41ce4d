//! An answer is withheld until its payment is settled: once, by whom ever, whatever happens in between.

use coinslot::{
    error::Code,
    evm::{Address, TxHash},
    ledger::{
        AuthorizationState, Awaited, BooksError, Claimed, Deposit, HeldOrNot, How, Leased, NewAuthorization, Retried, Run, Sent,
        credit::EventKind,
    },
    run::RunState,
};

use crate::{
    books::{TestBooks, both_databases},
    people::*,
};

fn settlement_failed() -> coinslot::error::CallError {
    Code::SettlementFailed.into()
}

async fn claimed_first(books: &TestBooks, n: u64) -> Run {
    let first = NewAuthorization { settle_first: true, ..signed() };
    let Claimed::New(run) = books.claim(&signed_call(ADA, n), &first, NOON).await.unwrap() else { panic!("it is new") };
    run
}

/// A payer's `n`th authorization, moved by a stranger's contract in this transaction.
fn wrapped(payer: Address, n: u64, transaction: u64) -> Deposit {
    let mut hash = [0x77; 32];
    hash[24..].copy_from_slice(&transaction.to_be_bytes());
    Deposit { how: How::Wrapped, transaction: TxHash(hash), ..settlement(payer, n) }
}

async fn authorization_of(books: &TestBooks, run: &Run) -> coinslot::ledger::RunAuthorization {
    books.now(run).await.authorization.unwrap()
}

both_databases! {
    async fn an_answer_is_withheld_until_it_is_settled(books: &TestBooks) {
        let run = books.answered_for(ADA, 1, "a").await;
        let answered = books.now(&run).await;
        assert_eq!((answered.state, answered.output.clone(), answered.output_sha256.clone()), (RunState::Running, None, None));
        assert!(answered.authorization.clone().unwrap().answered);
        assert!(!format!("{answered:?}").contains("computed"), "in no view at all");
        books.assert_balanced().await;

        assert!(books.settle(&run.id, &settlement(ADA, 1), NOON + 5).await.unwrap());
        let done = books.now(&run).await;
        assert_eq!((done.state, done.output.as_deref(), done.engine.as_deref()), (RunState::Done, Some("{}"), Some("computed")));
        assert_eq!((done.output_sha256, done.finished_ms, done.deposit_block), (Some(sha256("{}")), Some(NOON + 5), Some(7)));
        assert_eq!((done.price, done.transaction), (Some((dollar(), usd("0.001"))), Some(TxHash([0x7a; 32]))));
        let paid = done.authorization.unwrap();
        assert_eq!((paid.state, paid.answered), (AuthorizationState::Settled, false), "the answer is the run's now");
        // Deposit and capture in one event: no credit on the way.
        let audit = books.audit().await.unwrap();
        assert_eq!((audit.deposits, audit.entries, audit.findings), (1, 2, vec![]));
        assert!(books.balances(ADA).await.unwrap().is_empty());
        assert_eq!(books.find_deposit(NETWORK, &authorization(ADA, 1)).await.unwrap(), Some(settlement(ADA, 1)));
        assert_eq!(books.deposits_after("", 10).await.unwrap()[0].1, settlement(ADA, 1));
        assert!(!books.answered(&run.id, "a", r#"{"late":1}"#, "computed", NOON).await.unwrap());
    }

    async fn who_lost_its_lease_answers_nothing(books: &TestBooks) {
        let run = books.claimed(ADA, 1).await;
        books.leased("slow", NOON).await;
        books.leased("fast", NOON + LEASE).await;
        assert!(!books.answered(&run.id, "slow", r#"{"by":"slow"}"#, "computed", NOON).await.unwrap());
        assert!(!authorization_of(books, &run).await.answered);
        assert!(books.answered(&run.id, "fast", r#"{"by":"fast"}"#, "computed", NOON).await.unwrap());
        // The first answer stands; it may be settled for already.
        assert!(books.answered(&run.id, "fast", r#"{"by":"again"}"#, "computed", NOON).await.unwrap());
        assert!(books.settle(&run.id, &settlement(ADA, 1), NOON).await.unwrap());
        assert_eq!(books.now(&run).await.output.as_deref(), Some(r#"{"by":"fast"}"#));
        let native = books.bought(BOB, 1).await;
        books.leased("b", NOON).await;
        assert!(matches!(books.answered(&native.id, "b", "{}", "computed", NOON).await, Err(BooksError::Refused(_))));
        assert!(matches!(books.answered("no such run", "b", "{}", "computed", NOON).await, Err(BooksError::Refused(_))));
    }

    async fn nothing_is_captured_that_is_not_settled(books: &TestBooks) {
        let run = books.claimed(ADA, 1).await;
        books.leased("a", NOON).await;
        // Also if its payer has enough of it for something else.
        books.deposit(&Deposit { asset: dollar(), ..arrived(ADA, &payment(1), "1") }, NOON).await.unwrap();
        assert!(matches!(books.capture(&run.id, "a", "{}", "computed", NOON).await, Err(BooksError::Refused(_))));
        assert_eq!(books.now(&run).await.state, RunState::Running);
        books.assert_balanced().await;
    }

    /// Killed between the two: the hash and the bytes are there, and the same transaction is sent again.
    async fn what_we_are_about_to_send_survives_a_crash(books: &TestBooks) {
        let run = books.answered_for(ADA, 1, "a").await;
        let dying = books.another().await;
        assert!(dying.sending(&run.id, TxHash([1; 32]), &[0x02, 0xf8, 0xff], NOON + 1).await.unwrap());
        dying.close().await;
        let found = books.now(&run).await;
        assert_eq!(found.transaction, Some(TxHash([1; 32])));
        let sent = Sent { transaction: TxHash([1; 32]), raw: vec![0x02, 0xf8, 0xff], at_ms: NOON + 1 };
        assert_eq!(found.authorization.unwrap().sent, Some(sent));
        // Another one in its place, and the one that the chain has in the end.
        assert!(books.sending(&run.id, TxHash([2; 32]), &[3], NOON + 2).await.unwrap());
        assert_eq!(books.now(&run).await.transaction, Some(TxHash([2; 32])));
        assert!(books.settle(&run.id, &settlement(ADA, 1), NOON).await.unwrap());
        assert_eq!(books.now(&run).await.transaction, Some(TxHash([0x7a; 32])));
        assert!(!books.sending(&run.id, TxHash([3; 32]), &[4], NOON + 3).await.unwrap(), "there is nothing to send any more");
        assert_eq!(authorization_of(books, &run).await.sent.unwrap().transaction, TxHash([2; 32]));
    }

    async fn it_is_settled_once_however_often_and_from_whichever_instance(books: &TestBooks) {
        let run = books.answered_for(ADA, 1, "a").await;
        let second = books.another().await;
        let settled = futures::future::join_all((0..16).map(|n| {
            let (books, run) = (if n % 2 == 0 { (**books).clone() } else { second.clone() }, run.id.clone());
            tokio::spawn(async move { books.settle(&run, &settlement(ADA, 1), NOON).await.unwrap() })
        }))
        .await;
        assert_eq!(settled.into_iter().filter(|new| *new.as_ref().unwrap()).count(), 1);
        assert!(!books.settle(&run.id, &settlement(ADA, 1), NOON + 1).await.unwrap());
        assert_eq!((books.now(&run).await.state, books.now(&run).await.finished_ms), (RunState::Done, Some(NOON)));
        assert_eq!(books.audit().await.unwrap().entries, 2);
        books.assert_balanced().await;
    }

    async fn settled_first_it_is_credit_and_then_held_as_any_payment(books: &TestBooks) {
        let run = claimed_first(books, 1).await;
        assert!(books.settle(&run.id, &settlement(ADA, 1), NOON).await.unwrap());
        assert!(!books.settle(&run.id, &settlement(ADA, 1), NOON).await.unwrap());
        let waiting = books.now(&run).await;
        assert_eq!((waiting.state, waiting.deposit_block), (RunState::Waiting, Some(7)));
        assert_eq!(books.dollars_of(ADA).await, usd("0.001"));
        let awaited = Awaited { id: waiting.id, proof: waiting.proof, has_arrived: true };
        assert_eq!(books.waiting(NETWORK, NOON).await.unwrap(), [awaited], "to be judged");
        assert!(books.unsettled(NETWORK, NOON).await.unwrap().is_empty());
        let held = books.hold(&run.id, &dollar(), usd("0.001"), NOON).await.unwrap();
        assert!(matches!(held, HeldOrNot::Held(_)), "{held:?}");
        books.assert_balanced().await;
        books.leased("a", NOON).await;
        assert!(books.answered(&run.id, "a", "{}", "computed", NOON).await.unwrap(), "its money is here: that ends it");
        assert_eq!((books.now(&run).await.state, books.now(&run).await.output.as_deref()), (RunState::Done, Some("{}")));
        let kinds: Vec<EventKind> =
            books.statement(ADA, None, 10).await.unwrap().into_iter().map(|line| line.kind).collect();
        assert_eq!(kinds, [EventKind::Capture, EventKind::Hold, EventKind::Deposit]);
        books.assert_balanced().await;
    }

    /// Its price rose while the money was on its way.
    async fn settled_first_and_too_low_it_waits_again_when_it_is_shown_again(books: &TestBooks) {
        let run = claimed_first(books, 1).await;
        let first = NewAuthorization { settle_first: true, ..signed() };
        books.void(&run.id, &too_low(), NOON).await.unwrap();
        let Claimed::Same(still) = books.claim(&signed_call(ADA, 1), &first, NOON).await.unwrap() else { panic!("the same") };
        assert_eq!(still.state, RunState::Void, "nothing is to be judged before the money is here");
        assert!(books.settle(&run.id, &settlement(ADA, 1), NOON).await.unwrap());
        let Claimed::Same(again) = books.claim(&signed_call(ADA, 1), &first, NOON).await.unwrap() else { panic!("the same") };
        assert_eq!((again.state, again.error), (RunState::Waiting, None));
        books.assert_balanced().await;
    }

    /// The agent failed, so nobody was to be charged; a stranger sent the authorization all the same.
    async fn a_failed_run_that_somebody_settles_after_all_is_credit(books: &TestBooks) {
        let run = books.claimed(ADA, 1).await;
        books.leased("a", NOON).await;
        assert!(books.release(&run.id, "a", &agent_failed(), NOON).await.unwrap());
        assert!(books.settle(&run.id, &settlement(ADA, 1), NOON).await.unwrap());
        assert_eq!((books.now(&run).await.state, books.dollars_of(ADA).await), (RunState::Failed, usd("0.001")));
        assert_eq!(books.find_deposit(NETWORK, &authorization(ADA, 1)).await.unwrap().unwrap().how, How::Settlement);
        books.assert_balanced().await;
        let line = &books.statement(ADA, None, 10).await.unwrap()[0];
        assert_eq!((line.kind, line.transaction.clone()), (EventKind::Deposit, Some(TxHash([0x7a; 32]).to_string())));
        // Another attempt is paid by that credit.
        assert!(matches!(books.retry_authorized(&run.id, None, NOON).await.unwrap(), Retried::Over(_)));
        assert!(matches!(books.hold(&run.id, &dollar(), usd("0.001"), NOON).await.unwrap(), HeldOrNot::Held(_)));
        books.leased("b", NOON).await;
        assert!(books.capture(&run.id, "b", "{}", "computed", NOON).await.unwrap());
        assert!(books.dollars_of(ADA).await.is_zero());
        books.assert_balanced().await;
    }

    /// Somebody was faster than our own settlement: the money is here early, and is charged once.
    async fn settled_by_somebody_else_while_the_agent_works_it_is_charged_once(books: &TestBooks) {
        // Before the work, during it, and the work fails.
        for (n, leased_before, succeeds) in [(1, false, true), (2, true, true), (3, true, false), (4, false, false)] {
            let run = books.claimed(ADA, n).await;
            let token = n.to_string();
            if leased_before {
                books.leased(&token, NOON).await;
            }
            let state = books.now(&run).await.state;
            assert!(books.settle(&run.id, &settlement(ADA, n), NOON).await.unwrap());
            assert_eq!((books.now(&run).await.state, books.dollars_of(ADA).await.is_zero()), (state, true), "held for it");
            books.assert_balanced().await;
            if !leased_before {
                books.leased(&token, NOON).await;
            }
            if succeeds {
                assert!(!books.answered(&run.id, "another", "{}", "computed", NOON).await.unwrap());
                assert!(books.answered(&run.id, &token, "{}", "computed", NOON).await.unwrap());
                assert!(!books.settle(&run.id, &settlement(ADA, n), NOON).await.unwrap());
                assert_eq!((books.now(&run).await.state, books.dollars_of(ADA).await.is_zero()), (RunState::Done, true));
            } else {
                assert!(books.release(&run.id, &token, &agent_failed(), NOON).await.unwrap());
                assert_eq!((books.now(&run).await.state, books.dollars_of(ADA).await), (RunState::Failed, usd("0.001")));
                assert!(matches!(books.hold(&run.id, &dollar(), usd("0.001"), NOON).await.unwrap(), HeldOrNot::Held(_)));
                books.leased("again", NOON).await;
                assert!(books.capture(&run.id, "again", "{}", "computed", NOON).await.unwrap());
            }
            books.assert_balanced().await;
        }
    }

    async fn a_settlement_that_fails_for_good_withholds_the_answer(books: &TestBooks) {
        let run = books.answered_for(ADA, 1, "a").await;
        assert!(!books.settlement_failed(&run.id, "another", &settlement_failed(), NOON).await.unwrap(), "the lease is not its own");
        assert!(books.settlement_failed(&run.id, "a", &settlement_failed(), NOON + 5).await.unwrap());
        let void = books.now(&run).await;
        assert_eq!((void.state, void.price.clone(), void.output.clone()), (RunState::Void, None, None));
        assert_eq!((void.error.clone(), void.finished_ms), (Some(settlement_failed()), Some(NOON + 5)));
        assert_eq!((void.engine.clone(), void.output_sha256.clone()), (None, None));
        books.assert_balanced().await;
        // Shown again, it is what it is.
        let Claimed::Same(again) = books.claim(&signed_call(ADA, 1), &signed(), NOON).await.unwrap() else { panic!("the same") };
        assert_eq!((again.state, again.output), (RunState::Void, None));
        assert!(matches!(books.retry_authorized(&run.id, None, NOON).await.unwrap(), Retried::NotFailed(_)));
        assert!(books.lease_run("b", NOON + HOUR, LEASE).await.unwrap().is_none());
        assert!(!books.settlement_failed(&run.id, "a", &settlement_failed(), NOON).await.unwrap());
        // Sent after all, it is credit, and the answer stays where it is.
        assert!(books.settle(&run.id, &settlement(ADA, 1), NOON).await.unwrap());
        let after = books.now(&run).await;
        assert_eq!((after.state, after.output, books.dollars_of(ADA).await), (RunState::Void, None, usd("0.001")));
        books.assert_balanced().await;
    }

    async fn what_is_settled_cannot_fail_to_be(books: &TestBooks) {
        let run = books.claimed(ADA, 1).await;
        assert!(!books.settlement_failed(&run.id, "a", &settlement_failed(), NOON).await.unwrap(), "it is not running");
        books.leased("a", NOON).await;
        assert!(books.settle(&run.id, &settlement(ADA, 1), NOON).await.unwrap());
        assert!(!books.settlement_failed(&run.id, "a", &settlement_failed(), NOON).await.unwrap());
        assert_eq!(books.now(&run).await.state, RunState::Running);
        books.assert_balanced().await;
    }

    /// He had us work, and moved his money meanwhile.
    async fn settlements_that_fail_are_failures_of_their_payer(books: &TestBooks) {
        for n in 0..5 {
            let token = n.to_string();
            let run = books.answered_for(ADA, n, &token).await;
            assert!(books.settlement_failed(&run.id, &token, &settlement_failed(), NOON).await.unwrap());
        }
        assert!(matches!(books.claim(&signed_call(ADA, 9), &signed(), NOON).await.unwrap(), Claimed::FailingTooOften(_)));
    }

    /// The answer is there, its worker is not: only the settlement is left, and that is no attempt.
    async fn a_crash_between_answer_and_settlement_leaves_only_the_settlement(books: &TestBooks) {
        let run = books.claimed(ADA, 1).await;
        for n in 0..3 {
            books.leased(&format!("dies {n}"), NOON + n * LEASE).await;
        }
        assert!(books.answered(&run.id, "dies 2", "{}", "computed", NOON + 2 * LEASE).await.unwrap());
        assert!(books.lease_run("b", NOON + 3 * LEASE - 1, LEASE).await.unwrap().is_none(), "it may still live");
        for n in 3..9 {
            let leased = books.lease_run(&n.to_string(), NOON + n * LEASE, LEASE).await.unwrap();
            let Some(Leased::Settle { run: again, token }) = leased else { panic!("{leased:?}") };
            assert_eq!((again.id.as_str(), again.attempts, again.state, token), (run.id.as_str(), 3, RunState::Running, n.to_string()));
            assert!(again.authorization.unwrap().answered);
        }
        assert!(books.settle(&run.id, &settlement(ADA, 1), NOON).await.unwrap());
        assert!(books.lease_run("z", NOON + HOUR, LEASE).await.unwrap().is_none());
        books.assert_balanced().await;
    }

    async fn what_is_not_this_runs_authorization_does_not_settle_it(books: &TestBooks) {
        let run = books.answered_for(ADA, 1, "a").await;
        for deposit in [
            settlement(ADA, 2),
            settlement(BOB, 1),
            Deposit { payer: BOB, ..settlement(ADA, 1) },
            Deposit { amount: usd("0.0009"), ..settlement(ADA, 1) },
            Deposit { amount: usd("0.0011"), ..settlement(ADA, 1) },
            Deposit { pay_to: Address([1; 20]), ..settlement(ADA, 1) },
            Deposit { asset: coin(), ..settlement(ADA, 1) },
            Deposit { network: OTHER_NETWORK.into(), ..settlement(ADA, 1) },
            Deposit { how: How::Hash, ..settlement(ADA, 1) },
            arrived(ADA, &payment(1), "1"),
        ] {
            assert!(matches!(books.settle(&run.id, &deposit, NOON).await, Err(BooksError::Refused(_))), "{deposit:?}");
        }
        // And past its run it is booked by nobody.
        assert!(matches!(books.deposit(&settlement(ADA, 1), NOON).await, Err(BooksError::Refused(_))));
        let native = books.bought(BOB, 1).await;
        assert!(matches!(books.settle(&native.id, &settlement(BOB, 1), NOON).await, Err(BooksError::Refused(_))));
        assert!(matches!(books.settle("no such run", &settlement(ADA, 1), NOON).await, Err(BooksError::Refused(_))));
        assert_eq!(books.now(&run).await.state, RunState::Running);
        books.assert_balanced().await;
    }

    async fn what_a_strangers_contract_moved_once_pays_for_one_authorization(books: &TestBooks) {
        let runs = [books.answered_for(ADA, 1, "a").await, books.answered_for(ADA, 2, "b").await];
        assert!(books.settle(&runs[0].id, &wrapped(ADA, 1, 1), NOON).await.unwrap());
        let for_others = async |n| books.booked_for_others(&wrapped(ADA, n, 1)).await.unwrap();
        assert_eq!((for_others(1).await, for_others(2).await), (0, 1));
        assert!(!books.settle(&runs[1].id, &wrapped(ADA, 2, 1), NOON).await.unwrap(), "it is booked for the other");
        assert_eq!((books.now(&runs[0]).await.state, books.now(&runs[1]).await.state), (RunState::Done, RunState::Running));
        // One that is tied to its transaction by more than its block stands beside it.
        let tied = Deposit { how: How::Settlement, ..wrapped(ADA, 2, 1) };
        assert!(books.settle(&runs[1].id, &tied, NOON).await.unwrap());
        books.assert_balanced().await;
    }

    async fn m1_two_payers_in_one_wrapped_transaction_are_both_paid_for(books: &TestBooks) {
        let runs = [books.answered_for(ADA, 1, "a").await, books.answered_for(BOB, 1, "b").await];
        assert!(books.settle(&runs[0].id, &wrapped(ADA, 1, 1), NOON).await.unwrap());
        assert_eq!(books.booked_for_others(&wrapped(BOB, 1, 1)).await.unwrap(), 0);
        assert!(books.settle(&runs[1].id, &wrapped(BOB, 1, 1), NOON).await.unwrap());
        for run in &runs {
            let now = books.now(run).await;
            assert_eq!((now.state, now.authorization.unwrap().state), (RunState::Done, AuthorizationState::Settled));
        }
        books.assert_balanced().await;
    }

    /// The same token and amount for another recipient, another amount, another transaction: each is a transfer of its own.
    async fn m1_transfers_that_differ_in_anything_are_different_ones(books: &TestBooks) {
        let elsewhere = NewAuthorization { pay_to: Address([0x51; 20]), ..signed() };
        let dearer = NewAuthorization { amount: usd("0.002"), ..signed() };
        let price = |new: coinslot::ledger::NewRun| {
            let terms = new.terms.map(|terms| coinslot::ledger::SealedTerms { price: usd("0.002"), ..terms });
            coinslot::ledger::NewRun { terms, ..new }
        };
        let mut runs = Vec::new();
        for (new, authorization) in [
            (signed_call(ADA, 1), signed()), (signed_call(ADA, 2), elsewhere.clone()), (price(signed_call(ADA, 3)), dearer.clone()),
        ] {
            let Claimed::New(run) = books.claim(&new, &authorization, NOON).await.unwrap() else { panic!("it is new") };
            runs.push(run);
        }
        assert!(books.settle(&runs[0].id, &wrapped(ADA, 1, 1), NOON).await.unwrap());
        assert!(books.settle(&runs[1].id, &Deposit { pay_to: elsewhere.pay_to, ..wrapped(ADA, 2, 1) }, NOON).await.unwrap());
        assert!(books.settle(&runs[2].id, &Deposit { amount: dearer.amount, ..wrapped(ADA, 3, 1) }, NOON).await.unwrap());
        let Claimed::New(other) = books.claim(&signed_call(ADA, 4), &signed(), NOON).await.unwrap() else { panic!("it is new") };
        assert!(books.settle(&other.id, &wrapped(ADA, 4, 2), NOON).await.unwrap());
        books.assert_balanced().await;
    }

    /// A relayer that batches: each of the equal transfers pays for one, and no transfer for two.
    async fn m1_several_equal_transfers_of_one_payer_pay_for_as_many(books: &TestBooks) {
        let mut runs = Vec::new();
        for n in 1..=3 {
            runs.push(books.answered_for(ADA, n, &n.to_string()).await);
        }
        for (n, run) in (1..).zip(&runs[..2]) {
            assert!(books.settle_one_of(&run.id, &wrapped(ADA, n, 1), 2, NOON).await.unwrap());
            assert!(!books.settle_one_of(&run.id, &wrapped(ADA, n, 1), 2, NOON).await.unwrap(), "once");
        }
        assert!(!books.settle_one_of(&runs[2].id, &wrapped(ADA, 3, 1), 2, NOON).await.unwrap(), "there were two");
        let third = books.now(&runs[2]).await;
        assert!(third.is_to_be_settled() && third.state == RunState::Running, "nobody is done by an event that booked nothing");
        books.assert_balanced().await;
    }

    async fn m1_two_that_are_booked_at_once_for_one_transfer_are_one(books: &TestBooks) {
        let second = books.another().await;
        for round in 0..6 {
            let (a, b) = (2 * round, 2 * round + 1);
            let runs = [books.answered_for(ADA, a, &format!("a{round}")).await, books.answered_for(ADA, b, &format!("b{round}")).await];
            let (first, other) = (wrapped(ADA, a, round), wrapped(ADA, b, round));
            let (one, two) = tokio::join!(books.settle(&runs[0].id, &first, NOON), second.settle(&runs[1].id, &other, NOON));
            let booked = [one.unwrap(), two.unwrap()];
            assert_eq!(booked.iter().filter(|booked| **booked).count(), 1, "{booked:?}");
            let loser = &runs[usize::from(booked[0])];
            assert!(books.now(loser).await.is_to_be_settled());
            assert!(books.settlement_over(&loser.id, &(if booked[0] { format!("b{round}") } else { format!("a{round}") }), &settlement_failed(), NOON).await.unwrap());
            // Five failures are a pause, which is not what this is about.
            books.tamper("delete from failures").await;
        }
        books.assert_balanced().await;
    }

    /// What the review did: 36 calls that three transactions had paid.
    async fn m1_thirty_six_payers_in_three_transactions_end_and_leave_room(books: &TestBooks) {
        for transaction in 0..3_u64 {
            let mut runs = Vec::new();
            for n in 0..12 {
                let payer = Address([1 + n + 12 * transaction as u8; 20]);
                runs.push((payer, books.answered_for(payer, transaction, &format!("{transaction}/{n}")).await));
            }
            for (payer, run) in &runs {
                assert!(books.settle(&run.id, &wrapped(*payer, transaction, transaction), NOON).await.unwrap());
            }
            for (_, run) in runs {
                assert_eq!(books.now(&run).await.state, RunState::Done);
            }
        }
        assert_eq!(books.audit().await.unwrap().deposits, 36);
        books.assert_balanced().await;
    }

    async fn m9_an_authorization_that_never_pays_ends_with_its_run(books: &TestBooks) {
        // Taken back while we worked, long before its time is over.
        let run = books.answered_for(ADA, 1, "a").await;
        assert!(!books.settlement_over(&run.id, "another", &settlement_failed(), NOON).await.unwrap(), "the lease is not its own");
        assert!(!books.authorization_over(&run.id, &settlement_failed(), NOON).await.unwrap(), "that is the worker's");
        assert!(books.settlement_over(&run.id, "a", &settlement_failed(), NOON).await.unwrap());
        let over = books.now(&run).await;
        assert_eq!((over.state, over.error.map(|why| why.code)), (RunState::Void, Some(Code::SettlementFailed)));
        let paid = over.authorization.unwrap();
        assert_eq!((paid.state, paid.answered), (AuthorizationState::Unused, false));
        assert!(books.unsettled(NETWORK, NOON + HOUR).await.unwrap().is_empty(), "nobody looks for it any more");
        assert!(!books.settlement_over(&run.id, "a", &settlement_failed(), NOON).await.unwrap());
        books.assert_balanced().await;

        // One that waited for it, and one whose run has ended before.
        let waits = claimed_first(books, 2).await;
        assert!(books.authorization_over(&waits.id, &settlement_failed(), NOON).await.unwrap());
        let failed = books.claimed(ADA, 3).await;
        books.leased("b", NOON).await;
        books.release(&failed.id, "b", &agent_failed(), NOON).await.unwrap();
        assert!(books.authorization_over(&failed.id, &settlement_failed(), NOON).await.unwrap());
        assert_eq!((books.now(&waits).await.state, books.now(&failed).await.state), (RunState::Void, RunState::Failed));
        assert_eq!(books.now(&failed).await.error, Some(agent_failed()), "why it failed stays");
        for run in [waits, failed] {
            assert_eq!(authorization_of(books, &run).await.state, AuthorizationState::Unused);
        }
        books.assert_balanced().await;
        // Money that came after all is somebody's.
        assert!(books.settle(&run.id, &settlement(ADA, 1), NOON).await.unwrap());
        assert_eq!(books.dollars_of(ADA).await, usd("0.001"));
        books.assert_balanced().await;
    }

    async fn an_authorization_is_given_up_when_its_time_is_over_and_not_before(books: &TestBooks) {
        let end = NOON + 5 * MINUTE;
        let run = books.claimed(ADA, 1).await;
        assert!(!books.authorization_unused(&run.id, end).await.unwrap(), "its run is under way");
        books.leased("a", NOON).await;
        assert!(!books.authorization_unused(&run.id, end).await.unwrap(), "its run is under way");
        assert!(books.unsettled(NETWORK, end).await.unwrap().is_empty(), "that is the worker's");
        books.release(&run.id, "a", &agent_failed(), NOON).await.unwrap();
        assert!(!books.authorization_unused(&run.id, end - 1).await.unwrap(), "it may still be sent");
        assert!(books.unsettled(NETWORK, end - 1).await.unwrap().is_empty());
        assert_eq!(books.unsettled(NETWORK, end).await.unwrap(), [books.now(&run).await]);
        assert!(books.unsettled(OTHER_NETWORK, end).await.unwrap().is_empty());
        assert!(books.authorization_unused(&run.id, end).await.unwrap());
        assert!(!books.authorization_unused(&run.id, end).await.unwrap());
        assert!(books.unsettled(NETWORK, end).await.unwrap().is_empty());
        assert_eq!((books.now(&run).await.state, authorization_of(books, &run).await.state), (RunState::Failed, AuthorizationState::Unused));
        assert!(matches!(books.retry_authorized(&run.id, None, NOON).await.unwrap(), Retried::Over(_)));
        assert!(!books.sending(&run.id, TxHash([1; 32]), &[1], NOON).await.unwrap());
        books.assert_balanced().await;
        // We were wrong, or the chain was: money that came is somebody's.
        assert!(books.settle(&run.id, &settlement(ADA, 1), end).await.unwrap());
        assert_eq!(books.dollars_of(ADA).await, usd("0.001"));
        assert!(!books.authorization_unused(&run.id, end).await.unwrap());
        let native = books.bought(BOB, 1).await;
        assert!(!books.authorization_unused(&native.id, end).await.unwrap());
        books.assert_balanced().await;
    }

    async fn a_run_that_waited_for_an_unused_authorization_is_void(books: &TestBooks) {
        let run = claimed_first(books, 1).await;
        assert!(books.authorization_unused(&run.id, NOON + 5 * MINUTE).await.unwrap());
        let void = books.now(&run).await;
        assert_eq!((void.state, void.error.map(|error| error.code)), (RunState::Void, Some(Code::SettlementFailed)));
        books.assert_balanced().await;
    }

    /// Its money may be on its way; only the chain ends it.
    async fn the_sweep_takes_nothing_that_an_open_authorization_needs(books: &TestBooks) {
        let (waits, answered) = (claimed_first(books, 1).await, books.answered_for(ADA, 2, "a").await);
        let before = (books.now(&waits).await, books.now(&answered).await);
        books.sweep(NOON + 9 * DAY).await.unwrap();
        assert_eq!((books.now(&waits).await, books.now(&answered).await), before);
        assert!(books.settle(&waits.id, &settlement(ADA, 1), NOON + 9 * DAY).await.unwrap());
        assert!(books.settle(&answered.id, &settlement(ADA, 2), NOON + 9 * DAY).await.unwrap());
        books.assert_balanced().await;
    }

    /// Two who know different halves at the same moment: whoever is first, the run ends once and the money is in one place.
    async fn settling_while_it_ends_otherwise_is_one_end(books: &TestBooks) {
        let second = books.another().await;
        for n in 0..8 {
            let (run, token) = (books.claimed(ADA, n).await, n.to_string());
            books.leased(&token, NOON).await;
            let deposit = settlement(ADA, n);
            let (answered, settled) = tokio::join!(
                books.answered(&run.id, &token, "{}", "computed", NOON),
                second.settle(&run.id, &deposit, NOON)
            );
            assert_eq!((answered.unwrap(), settled.unwrap()), (true, true));
            assert_eq!((books.now(&run).await.state, books.dollars_of(ADA).await.is_zero()), (RunState::Done, true));
            books.assert_balanced().await;
        }
        for n in 8..11 {
            let (run, token, before) = (books.claimed(ADA, n).await, n.to_string(), books.dollars_of(ADA).await);
            books.leased(&token, NOON).await;
            let (deposit, why) = (settlement(ADA, n), agent_failed());
            let (released, settled) = tokio::join!(
                books.release(&run.id, &token, &why, NOON),
                second.settle(&run.id, &deposit, NOON)
            );
            assert_eq!((released.unwrap(), settled.unwrap()), (true, true));
            assert_eq!(books.now(&run).await.state, RunState::Failed);
            assert_eq!(books.dollars_of(ADA).await, before.plus(usd("0.001")).unwrap());
            books.assert_balanced().await;
        }
        for n in 0..4 {
            let token = format!("bob {n}");
            let run = books.answered_for(BOB, n, &token).await;
            let before = books.dollars_of(BOB).await;
            let (deposit, why) = (settlement(BOB, n), settlement_failed());
            let (failed, settled) = tokio::join!(
                books.settlement_failed(&run.id, &token, &why, NOON),
                second.settle(&run.id, &deposit, NOON)
            );
            assert!(settled.unwrap());
            let (state, credit) = if failed.unwrap() {
                (RunState::Void, before.plus(usd("0.001")).unwrap())
            } else {
                (RunState::Done, before)
            };
            assert_eq!((books.now(&run).await.state, books.dollars_of(BOB).await), (state, credit));
            books.assert_balanced().await;
        }
    }
}
