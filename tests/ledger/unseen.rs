//! Payments that nobody has seen: what a look at them reads, how many there are, and what is kept of those that came to nothing (S1).

use coinslot::{
    error::{CallError, Code},
    evm::Address,
    ledger::{
        BooksError, Claimed, Known, NewAuthorization, NewRun, Presented, Run, Session,
        forgetting::{VOID_INPUT_KEPT_MS, VOID_KEPT_MS},
        runs::{FOLLOWED_MS, NEVER_HELD_MAX, NEVER_HELD_WITHIN_MS},
        watches::Watch,
    },
    run::RunState,
};

use crate::{books::both_databases, people::*};

fn reverted() -> CallError {
    Code::PaymentReverted.into()
}

fn not_found() -> CallError {
    Code::PaymentNotFound.into()
}

both_databases! {
    /// A row that cannot be read as a whole is no trouble for a look: it reads no more than it needs, and no input.
    async fn s1_a_look_reads_no_more_than_it_needs(books: &TestBooks) {
        let (unseen, arrived) = (books.shown(&call(&payment(1))).await, books.shown(&call(&payment(2))).await);
        let elsewhere = books.shown(&NewRun { network: OTHER_NETWORK.into(), terms: None, ..call(&payment(3)) }).await;
        books.pays(ADA, &payment(2), "0.0001").await;
        assert_eq!(books.tamper("update runs set terms_price = 'nonsense', terms_asset = 'nonsense', input = 'nonsense'").await, 3);
        assert!(matches!(books.run(&unseen.id).await, Err(BooksError::Corrupt(_))));
        let waiting = books.waiting(NETWORK, NOON).await.unwrap();
        let told: Vec<_> = waiting.iter().map(|run| (run.id.as_str(), run.proof.as_str(), run.has_arrived)).collect();
        assert_eq!(told, [(unseen.id.as_str(), payment(1).as_str(), false), (arrived.id.as_str(), payment(2).as_str(), true)]);
        assert_eq!(books.waiting_unasked(NETWORK, NOON + FOLLOWED_MS).await.unwrap(), waiting);
        assert_eq!(books.waiting_for(NETWORK, &payment(1)).await.unwrap(), [unseen.id.as_str()]);
        assert_eq!(books.waiting_for(OTHER_NETWORK, &payment(3)).await.unwrap(), [elsewhere.id]);
        assert!(books.waiting_for(NETWORK, &payment(3)).await.unwrap().is_empty());
        assert_eq!(books.unseen(NETWORK, NOON, 10).await.unwrap().len(), 1);
        assert_eq!((books.unseen_in_all(NETWORK).await.unwrap(), books.unseen_in_all(OTHER_NETWORK).await.unwrap()), (1, 1));
        assert_eq!(books.state_of(&unseen.id).await.unwrap(), Some(RunState::Waiting));
        assert_eq!(books.state_of("00000000-0000-7000-8000-000000000000").await.unwrap(), None);
    }

    async fn s1_what_waits_for_a_block_is_counted_whenever_it_was_shown(books: &TestBooks) {
        for n in 0..3 {
            books.shown(&by(ADA, &payment(n))).await;
        }
        books.shown(&by(BOB, &payment(2))).await;
        books.shown(&call(&credit(1))).await;
        assert_eq!(books.unseen_in_all(NETWORK).await.unwrap(), 4, "credit has been seen");
        books.set_included(NETWORK, &payment(0), Some(5)).await.unwrap();
        books.pays(ADA, &payment(2), "0.0001").await;
        assert_eq!(books.unseen_in_all(NETWORK).await.unwrap(), 1, "one is in a block, and one was booked, whoever shows it");
        books.set_included(NETWORK, &payment(0), None).await.unwrap();
        assert_eq!(books.unseen_in_all(NETWORK).await.unwrap(), 2, "its block vanished");
        books.sweep(NOON + DAY).await.unwrap();
        assert_eq!(books.unseen_in_all(NETWORK).await.unwrap(), 0, "after a day it is given up");
    }

    async fn s1_a_wallet_that_was_here_is_known(books: &TestBooks) {
        let known = async |proof: &str, wallet: Address| books.known(NETWORK, proof, wallet, NOON).await.unwrap();
        assert_eq!(known(&payment(1), ADA).await, Known::default());
        books.shown(&by(ADA, &payment(1))).await;
        assert_eq!(known(&payment(1), ADA).await, Known { is_shown: true, ..Known::default() });
        assert_eq!((known(&payment(2), ADA).await, known(&payment(1), BOB).await), (Known::default(), Known::default()));
        // Who paid, on whichever network.
        books.pays(ADA, &payment(1), "0.0001").await;
        let paid = Known { is_shown: true, is_theirs: true, is_booked: true, has_history: true };
        assert_eq!(known(&payment(1), ADA).await, paid);
        assert_eq!(known(&payment(1), BOB).await, Known { is_booked: true, ..Known::default() });
        assert_eq!(books.known(OTHER_NETWORK, &payment(1), ADA, NOON).await.unwrap(), Known { has_history: true, ..Known::default() });
        // Who is signed in, while they are.
        let session = Session { wallet: BOB, network: None, until_ms: NOON + 1 };
        books.start_session("token", &session, NOON).await.unwrap();
        assert_eq!(known(&payment(9), BOB).await, Known { has_history: true, ..Known::default() });
        assert_eq!(books.known(NETWORK, &payment(9), BOB, NOON + 1).await.unwrap(), Known::default());
        // Who is watched for.
        books.open_watch(&Watch { wallet: THIEF, ..watch() }, NOON).await.unwrap();
        assert!(known(&payment(9), THIEF).await.has_history);
        // The first hash of a payment that was sped up.
        let run = books.shown(&by(ADA, &payment(5))).await;
        books.pays(ADA, &payment(6), "0.0001").await;
        assert!(books.replace(&run.id, &payment(6), NOON).await.unwrap());
        assert!(known(&payment(5), ADA).await.is_shown && !known(&payment(5), BOB).await.is_shown);
    }

    /// Somebody else's transactions are as easy to come by as made-up hashes.
    async fn s1_a_wallet_has_few_runs_that_came_to_nothing(books: &TestBooks) {
        for n in 0..u64::from(NEVER_HELD_MAX) {
            let run = books.shown(&call(&payment(n))).await;
            books.void(&run.id, &reverted(), NOON).await.unwrap();
        }
        let show = async |new: NewRun, now_ms: i64| books.present(&new, now_ms).await.unwrap();
        assert!(matches!(show(call(&payment(100)), NOON).await, Presented::TooManyVoid));
        assert!(matches!(show(call(&payment(3)), NOON).await, Presented::Same(_)), "not against itself");
        assert!(matches!(show(by(BOB, &payment(100)), NOON).await, Presented::New(_)), "not against others");
        assert!(matches!(show(call(&credit(1)), NOON).await, Presented::New(_)), "nor against credit");
        // What is booked to them is theirs.
        books.pays(ADA, &payment(101), "0.0001").await;
        assert!(matches!(show(call(&payment(101)), NOON).await, Presented::New(_)));
        assert!(matches!(show(call(&payment(102)), NOON + NEVER_HELD_WITHIN_MS).await, Presented::New(_)));
        books.assert_balanced().await;
    }

    async fn s1_void_runs_lose_their_input_after_a_day_and_go_after_thirty(books: &TestBooks) {
        let void = books.shown(&call(&payment(1))).await;
        books.void(&void.id, &reverted(), NOON).await.unwrap();
        // What is paid, failed or waits stays as it is.
        let done = books.bought(BOB, 2).await;
        assert_eq!(books.leased("a", NOON).await.id, done.id);
        assert!(books.capture(&done.id, "a", "{}", "computed", NOON).await.unwrap());
        let failed = books.bought(BOB, 3).await;
        assert_eq!(books.leased("b", NOON).await.id, failed.id);
        assert!(books.release(&failed.id, "b", &agent_failed(), NOON).await.unwrap());
        let open = books.claimed(BOB, 4).await;
        let input = async |run: &Run| books.run(&run.id).await.unwrap().map(|run| run.input);
        let kept = [&done, &failed, &open];

        books.sweep(NOON + VOID_INPUT_KEPT_MS - 1).await.unwrap();
        assert_eq!(input(&void).await, Some(Some(INPUT.to_owned())));
        books.sweep(NOON + VOID_INPUT_KEPT_MS).await.unwrap();
        assert_eq!(input(&void).await, Some(None));
        let now = books.now(&void).await;
        assert_eq!((now.state, now.error, now.input_sha256), (RunState::Void, Some(reverted()), void.input_sha256.clone()));
        books.sweep(NOON + VOID_KEPT_MS - 1).await.unwrap();
        assert_eq!(input(&void).await, Some(None));
        books.sweep(NOON + VOID_KEPT_MS).await.unwrap();
        assert_eq!(input(&void).await, None);
        books.sweep(NOON + 3 * VOID_KEPT_MS).await.unwrap();
        for run in kept {
            assert_eq!(input(run).await, Some(Some(INPUT.to_owned())));
        }
        books.assert_balanced().await;
    }

    async fn s1_however_many_they_are(books: &TestBooks) {
        let wallet = |n: u64| {
            let mut bytes = [0x5a; 20];
            bytes[..8].copy_from_slice(&n.to_be_bytes());
            Address(bytes)
        };
        for n in 0..450 {
            let run = books.shown(&by(wallet(n), &payment(n))).await;
            books.void(&run.id, &reverted(), NOON).await.unwrap();
        }
        books.sweep(NOON + VOID_INPUT_KEPT_MS).await.unwrap();
        assert_eq!(books.tamper("update runs set input = null where input is not null").await, 0);
        // Two instances sweep at once.
        let second = books.another().await;
        let (one, other) = tokio::join!(books.sweep(NOON + VOID_KEPT_MS), second.sweep(NOON + VOID_KEPT_MS));
        one.unwrap();
        other.unwrap();
        assert_eq!(books.tamper("delete from runs").await, 0);
    }

    /// Whoever shows a payment brings the call: it is worked on with the input that it came with.
    async fn s1_a_payment_that_comes_late_has_its_input_again(books: &TestBooks) {
        let run = books.shown(&call(&payment(1))).await;
        books.void(&run.id, &not_found(), NOON).await.unwrap();
        books.sweep(NOON + VOID_INPUT_KEPT_MS).await.unwrap();
        assert_eq!(books.now(&run).await.input, None);
        books.pays(ADA, &payment(1), "0.0001").await;
        let other = books.present(&with_input(&payment(1), "{}"), NOON + 2 * DAY).await.unwrap();
        assert!(matches!(other, Presented::OtherUse(_)), "it is the same call or none: {other:?}");
        let Presented::Same(again) = books.present(&call(&payment(1)), NOON + 2 * DAY).await.unwrap() else { panic!("the same") };
        assert_eq!((again.state, again.input.as_deref()), (RunState::Waiting, Some(INPUT)));
        books.held(&again, "0.0001").await;
        assert_eq!(books.leased("a", NOON).await.input.as_deref(), Some(INPUT));
        books.assert_balanced().await;
    }

    /// Settled first, and then it was too little: its money is credit, and what it came from is told for ever.
    async fn s1_what_money_moved_for_is_kept(books: &TestBooks) {
        let first = NewAuthorization { settle_first: true, ..signed() };
        let Claimed::New(run) = books.claim(&signed_call(ADA, 1), &first, NOON).await.unwrap() else { panic!("it is new") };
        assert!(books.settle(&run.id, &settlement(ADA, 1), NOON).await.unwrap());
        books.void(&run.id, &too_low(), NOON).await.unwrap();
        let Claimed::New(unused) = books.claim(&signed_call(BOB, 2), &first, NOON).await.unwrap() else { panic!("it is new") };
        books.authorization_over(&unused.id, &not_found(), NOON).await.unwrap();
        assert_eq!((books.now(&run).await.state, books.now(&unused).await.state), (RunState::Void, RunState::Void));
        books.sweep(NOON + VOID_KEPT_MS).await.unwrap();
        let kept = books.now(&run).await;
        assert_eq!((kept.state, kept.input, kept.authorization.is_some()), (RunState::Void, None, true));
        assert_eq!(books.run(&unused.id).await.unwrap(), None, "nothing moved for it, and nothing will");
        assert_eq!(books.dollars_of(ADA).await, usd("0.001"));
        books.assert_balanced().await;
    }
}
