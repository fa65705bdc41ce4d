//! A crash after every step, and a recovery that crashes too.
//!
//! Every method is one transaction, and a transaction that is dropped leaves nothing; so what a crash can leave is what some first steps
//! of a call leave. Recovery is what any instance does all the time: follow, hold what is paid, work on what is held.

use coinslot::{
    evm::TxHash,
    ledger::{Books, HeldOrNot, Leased, Presented, Run, deposits::ReadTo},
    money::Amount,
    run::RunState,
};

use crate::{
    books::{TestBooks, both_databases},
    people::*,
};

/// A call's way, first to last. A crash comes after the last one that was taken.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Step {
    Shown,
    Booked,
    Held,
    Leased,
    Ended,
}

impl Step {
    const ALL: [Self; 5] = [Self::Shown, Self::Booked, Self::Held, Self::Leased, Self::Ended];
}

/// Takes Ada's call up to a step, in a process that is gone afterwards.
async fn crashed_after(books: &TestBooks, step: Step, n: u64) -> Run {
    let dying = books.another().await;
    let run = dying.shown(&call(&payment(n))).await;
    if step >= Step::Booked {
        dying.pays(ADA, &payment(n), "0.0001").await;
    }
    if step >= Step::Held {
        dying.held(&run, "0.0001").await;
    }
    if step >= Step::Leased {
        dying.leased("of the dead", NOON).await;
    }
    if step >= Step::Ended {
        assert!(dying.capture(&run.id, "of the dead", "{}", "computed", NOON).await.unwrap());
    }
    dying.close().await;
    run
}

/// What the follower, the till and the worker do; `works`: whether the worker lives long enough to end what it leases.
async fn recover(books: &Books, paid: &str, works: bool, now_ms: i64) {
    let deposit = arrived(ADA, paid, "0.0001");
    books.deposit_block(NETWORK, ReadTo { height: 7, hash: [7; 32] }, &[deposit], now_ms).await.unwrap();
    for run in books.waiting(NETWORK, now_ms).await.unwrap() {
        if books.find_deposit(NETWORK, &run.proof).await.unwrap().is_some() {
            assert!(matches!(books.hold(&run.id, &coin(), mon("0.0001"), now_ms).await.unwrap(), HeldOrNot::Held(_)));
        }
    }
    let token = format!("of {now_ms}");
    if let Some(Leased::Work { run, token }) = books.lease_run(&token, now_ms, LEASE).await.unwrap()
        && works
    {
        assert!(books.capture(&run.id, &token, "{}", "computed", now_ms).await.unwrap());
    }
}

both_databases! {
    async fn a_crash_after_any_step_costs_nothing_and_ends_in_one_answer(books: &TestBooks) {
        for (n, step) in (0..).zip(Step::ALL) {
            let run = crashed_after(books, step, n).await;
            books.assert_balanced().await;
            // The first recovery dies with the run in its hands.
            recover(&books.another().await, &payment(n), false, NOON + LEASE).await;
            books.assert_balanced().await;
            recover(&books.another().await, &payment(n), true, NOON + 2 * LEASE).await;
            recover(&books.another().await, &payment(n), true, NOON + 3 * LEASE).await;
            let run = books.run(&run.id).await.unwrap().unwrap();
            assert_eq!((run.state, run.output.as_deref()), (RunState::Done, Some("{}")), "after {step:?}");
            assert_eq!(books.credit_of(ADA).await, Amount::ZERO, "after {step:?}");
            books.assert_balanced().await;
        }
        assert_eq!(books.audit().await.unwrap().entries, 5 * 6, "each was booked, held and captured once");
    }

    /// The same, where an authorization pays: one answer, one settlement, one charge, and the transaction that was written is not forgotten.
    async fn a_crash_after_any_step_of_a_settlement_ends_in_one_settlement(books: &TestBooks) {
        for n in 0..5 {
            let (dying, token) = (books.another().await, format!("of the dead {n}"));
            let run = dying.claimed(ADA, n).await;
            if n >= 1 {
                dying.leased(&token, NOON).await;
            }
            if n >= 2 {
                assert!(dying.answered(&run.id, &token, "{}", "computed", NOON).await.unwrap());
            }
            if n >= 3 {
                assert!(dying.sending(&run.id, TxHash([9; 32]), &[2, 9], NOON).await.unwrap());
            }
            if n >= 4 {
                assert!(dying.settle(&run.id, &settlement(ADA, n), NOON).await.unwrap());
            }
            dying.close().await;
            books.assert_balanced().await;
            // The first two recoveries die: with the run in their hands, and with its answer stored.
            for later in 1..=4 {
                let (instance, now_ms) = (books.another().await, NOON + later * LEASE);
                match instance.lease_run(&format!("{n}/{later}"), now_ms, LEASE).await.unwrap() {
                    Some(Leased::Work { run, token }) if later > 1 => {
                        assert!(instance.answered(&run.id, &token, "{}", "computed", now_ms).await.unwrap());
                    }
                    Some(Leased::Settle { run, .. }) => {
                        assert_eq!(run.transaction.is_some(), n >= 3, "it knows what was sent");
                        if later > 1 {
                            assert!(instance.settle(&run.id, &settlement(ADA, n), now_ms).await.unwrap());
                        }
                    }
                    _ => {}
                }
                books.assert_balanced().await;
            }
            let run = books.now(&run).await;
            assert_eq!((run.state, run.output.as_deref()), (RunState::Done, Some("{}")), "after step {n}");
        }
        assert_eq!(books.audit().await.unwrap().entries, 5 * 2, "each was settled once, and nothing else moved");
    }

    /// A request whose caller hung up, a task that was aborted: wherever its transaction is, it leaves all or nothing.
    async fn a_call_that_is_dropped_in_the_middle_leaves_all_or_nothing(books: &TestBooks) {
        books.pays(ADA, &payment(1000), "1").await;
        for n in 0..60_u64 {
            // Each an hour after the one before: what is dropped before it is held stays behind.
            let Presented::New(run) = books.present(&call(&credit(n as u32)), NOON + n as i64 * HOUR).await.unwrap() else {
                panic!("it is new")
            };
            let (books, task_run) = ((**books).clone(), run.id.clone());
            let task = tokio::spawn(async move {
                books.deposit(&arrived(ADA, &payment(n), "0.0001"), NOON).await.unwrap();
                books.hold(&task_run, &coin(), mon("0.0001"), NOON).await.unwrap();
                let leased = books.lease_run(&n.to_string(), NOON, LEASE).await.unwrap();
                if let Some(Leased::Work { run, token }) = leased {
                    books.capture(&run.id, &token, "{}", "computed", NOON).await.unwrap();
                }
            });
            for _ in 0..n * 3 {
                tokio::task::yield_now().await;
            }
            tokio::time::sleep(std::time::Duration::from_micros(n * 60)).await;
            task.abort();
            let _ = task.await;
        }
        books.assert_balanced().await;
        // Nothing is stuck: no lock is held by what was dropped.
        books.bought(ADA, 2000).await;
        books.assert_balanced().await;
    }

    /// The answer got lost, not the call: it is made again.
    async fn every_step_can_be_repeated(books: &TestBooks) {
        let run = books.shown(&call(&payment(1))).await;
        assert!(matches!(books.present(&call(&payment(1)), NOON).await.unwrap(), Presented::Same(_)));
        books.pays(ADA, &payment(1), "0.0005").await;
        assert!(!books.deposit(&arrived(ADA, &payment(1), "0.0005"), NOON).await.unwrap());
        books.held(&run, "0.0001").await;
        assert!(matches!(books.hold(&run.id, &coin(), mon("0.0001"), NOON).await.unwrap(), HeldOrNot::NotWaiting(_)));
        books.leased("a", NOON).await;
        assert!(books.capture(&run.id, "a", "{}", "computed", NOON).await.unwrap());
        assert!(!books.capture(&run.id, "a", "{}", "computed", NOON).await.unwrap());
        assert!(matches!(books.hold(&run.id, &coin(), mon("0.0001"), NOON).await.unwrap(), HeldOrNot::NotWaiting(_)));
        let Presented::Same(done) = books.present(&call(&payment(1)), NOON).await.unwrap() else { panic!("the same") };
        assert_eq!((done.state, books.credit_of(ADA).await), (RunState::Done, mon("0.0004")));
        books.assert_balanced().await;
    }
}
