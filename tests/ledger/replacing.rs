//! Payments that others took the place of: sped up or cancelled in their wallet.

use coinslot::{
    error::{CallError, Code},
    ledger::{
        Books, Deposit, Presented,
        replacing::{StandIn, Unseen},
        watches::{WATCH_MS, Watch},
    },
    run::RunState,
};

use crate::{books::both_databases, people::*};

/// What `proof` paid, as it may be what an unseen payment became.
fn stand_in(n: u64, amount: &str, is_awaited: bool) -> StandIn {
    let transaction = payment(n).trim_start_matches("tx/").parse().unwrap();
    StandIn { proof: payment(n), transaction, amount: mon(amount), is_awaited, is_its_amount: amount == "0.0001" }
}

async fn unseen(books: &Books) -> Vec<Unseen> {
    books.unseen(NETWORK, NOON, 10).await.unwrap()
}

async fn stand_ins(books: &Books, run: &coinslot::ledger::Run) -> Vec<StandIn> {
    books.stand_ins(&run.id).await.unwrap()
}

both_databases! {
    /// The same nonce, recipient and value under another hash: the same call is paid, and whoever shows the first hash has its answer.
    async fn p7_a_run_goes_on_with_the_payment_that_took_the_place_of_its_own(books: &TestBooks) {
        let run = books.shown(&call(&payment(1))).await;
        let [waits] = &unseen(books).await[..] else { panic!("one waits") };
        assert_eq!((waits.run.as_str(), waits.nonce, books.next_nonce(&run.id).await.unwrap()), (run.id.as_str(), None, None));
        books.note_nonce(NETWORK, waits, 7).await.unwrap();
        books.note_nonce(NETWORK, waits, 8).await.unwrap();
        assert_eq!(unseen(books).await[0].nonce, Some(7), "the first word stands");
        assert!(books.nonce_is_known(NETWORK, &run.proof, ADA).await.unwrap());

        assert!(stand_ins(books, &run).await.is_empty());
        books.pays(ADA, &payment(2), "0.0001").await;
        assert_eq!(stand_ins(books, &run).await, [stand_in(2, "0.0001", false)]);
        assert!(books.replace(&run.id, &payment(2), NOON).await.unwrap());
        assert!(!books.replace(&run.id, &payment(2), NOON).await.unwrap(), "once");
        let moved = books.now(&run).await;
        assert_eq!((moved.state, &moved.proof, moved.deposit_block), (RunState::Waiting, &payment(2), Some(7)));
        assert!(unseen(books).await.is_empty());

        let held = books.held(&moved, "0.0001").await;
        assert_eq!(held.id, run.id);
        for proof in [payment(1), payment(2)] {
            let Presented::Same(same) = books.present(&call(&proof), NOON).await.unwrap() else { panic!("the same run") };
            assert_eq!((same.id, same.state), (run.id.clone(), RunState::Held));
            let other = books.present(&with_input(&proof, "{}"), NOON).await.unwrap();
            assert!(matches!(other, Presented::OtherUse(_)), "one payment, one run: {other:?}");
        }
        assert_eq!(books.credit_of(ADA).await, mon("0"));
        books.assert_balanced().await;
    }

    /// Nobody ever saw the first hash: the watch of the very call found the payment, and it is of the amount that was asked for.
    async fn p7_what_the_watch_of_the_call_found_is_its_payment_and_no_card_beside_it(books: &TestBooks) {
        books.open_watch(&watch(), NOON).await.unwrap();
        let run = books.shown(&call(&payment(1))).await;
        assert_eq!(books.next_nonce(&run.id).await.unwrap(), Some(3), "as of when its watch was opened");
        books.pays(ADA, &payment(2), "0.0001").await;
        assert!(books.arrivals(ADA).await.unwrap().is_empty(), "no second run of it is offered");
        assert_eq!(stand_ins(books, &run).await, [stand_in(2, "0.0001", true)]);
        assert!(books.replace(&run.id, &payment(2), NOON).await.unwrap());
        books.held(&books.now(&run).await, "0.0001").await;
        assert!(books.arrivals(ADA).await.unwrap().is_empty());
        // The first one arrives all the same: it is credit, as every second payment.
        books.pays(ADA, &payment(1), "0.0001").await;
        assert!(books.arrivals(ADA).await.unwrap().is_empty());
        assert_eq!(books.credit_of(ADA).await, mon("0.0001"));
        books.assert_balanced().await;
    }

    async fn p7_what_is_another_calls_another_amount_or_anothers_is_not_taken_for_it(books: &TestBooks) {
        let other = Watch { input: "{}".into(), ..watch() };
        books.open_watch(&other, NOON).await.unwrap();
        let run = books.shown(&call(&payment(1))).await;
        books.pays(ADA, &payment(2), "0.0001").await;
        books.open_watch(&watch(), NOON).await.unwrap();
        books.pays(ADA, &payment(3), "0.0002").await;
        books.pays(BOB, &payment(4), "0.0001").await;
        let old = Deposit { block_time_ms: NOON - DAY, ..arrived(ADA, &payment(5), "0.0001") };
        books.deposit(&old, NOON).await.unwrap();
        assert_eq!(stand_ins(books, &run).await, [stand_in(3, "0.0002", true), stand_in(2, "0.0001", false)]);
        // It is void: what arrived for its call while it waited is offered.
        books.void(&run.id, &Code::PaymentReplaced.into(), NOON).await.unwrap();
        let offered: Vec<_> = books.arrivals(ADA).await.unwrap().into_iter().map(|arrival| arrival.proof).collect();
        assert_eq!(offered, [payment(2), payment(3)]);
    }

    /// The page showed the second hash by itself, in another tab.
    async fn p7_a_payment_that_another_run_was_shown_with_is_not_taken_from_it(books: &TestBooks) {
        let first = books.shown(&call(&payment(1))).await;
        let second = books.bought(ADA, 2).await;
        assert!(books.replace(&first.id, &payment(2), NOON).await.unwrap());
        let void = books.now(&first).await;
        assert_eq!((void.state, void.error.map(|error| error.code)), (RunState::Void, Some(Code::PaymentReplaced)));
        let Presented::Same(same) = books.present(&call(&payment(1)), NOON).await.unwrap() else { panic!("the second one's run") };
        assert_eq!((same.id, same.state), (second.id, RunState::Held));
        books.assert_balanced().await;
    }

    async fn p7_a_run_whose_own_payment_came_or_that_ended_stays_what_it_is(books: &TestBooks) {
        let paid = books.shown(&call(&payment(1))).await;
        books.pays(ADA, &payment(1), "0.0001").await;
        books.pays(ADA, &payment(2), "0.0001").await;
        assert!(!books.replace(&paid.id, &payment(2), NOON).await.unwrap());
        let void = books.shown(&call(&payment(3))).await;
        books.void(&void.id, &CallError::from(Code::PaymentReverted), NOON).await.unwrap();
        assert!(!books.replace(&void.id, &payment(2), NOON).await.unwrap());
        assert_eq!((books.now(&paid).await.proof, books.now(&void).await.proof), (payment(1), payment(3)));
        assert!(unseen(books).await.is_empty());
    }

    /// A thief who shows her first hash has nothing of her second.
    async fn p7_a_thiefs_run_is_not_joined_with_its_owners_payment(books: &TestBooks) {
        books.open_watch(&Watch { wallet: THIEF, ..watch() }, NOON).await.unwrap();
        let theirs = books.shown(&by(THIEF, &payment(1))).await;
        books.pays(ADA, &payment(2), "0.0001").await;
        assert!(stand_ins(books, &theirs).await.is_empty());
    }

    async fn p7_a_payment_may_come_while_its_number_is_free_or_its_call_is_watched_for(books: &TestBooks) {
        let run = books.shown(&call(&payment(1))).await;
        assert!(!books.nonce_is_known(NETWORK, &run.proof, ADA).await.unwrap());
        let watched = |now_ms| books.is_watched_for(NETWORK, ADA, XRAY, INPUT, now_ms);
        assert!(!watched(NOON).await.unwrap());
        books.open_watch(&watch(), NOON).await.unwrap();
        assert!(watched(NOON).await.unwrap() && !watched(NOON + WATCH_MS).await.unwrap());
        assert!(!books.is_watched_for(NETWORK, ADA, XRAY, "{}", NOON).await.unwrap(), "another call's");
        let waits = unseen(books).await.remove(0);
        books.note_nonce(NETWORK, &waits, 3).await.unwrap();
        // Numbers that nobody waits for are swept; what took another's place is remembered.
        books.sweep(NOON).await.unwrap();
        assert!(books.nonce_is_known(NETWORK, &run.proof, ADA).await.unwrap());
        books.void(&run.id, &Code::PaymentReplaced.into(), NOON).await.unwrap();
        books.sweep(NOON).await.unwrap();
        assert!(!books.nonce_is_known(NETWORK, &run.proof, ADA).await.unwrap());
    }

    /// Shown and sped up from two instances at once.
    async fn p7_joining_and_showing_at_once_end_in_one_run(books: &TestBooks) {
        let second = books.another().await;
        for n in 0..10_u64 {
            let (hash, faster) = (payment(100 + n), payment(200 + n));
            let run = books.shown(&call(&hash)).await;
            books.pays(ADA, &faster, "0.0001").await;
            let (joined, again) = tokio::join!(
                books.replace(&run.id, &faster, NOON),
                async { second.present(&call(&faster), NOON).await }
            );
            again.unwrap();
            // A race that it lost is tried again with the next look.
            if !joined.unwrap_or(false) {
                books.replace(&run.id, &faster, NOON).await.unwrap();
            }
            let Presented::Same(first) = books.present(&call(&hash), NOON).await.unwrap() else { panic!("it is known") };
            let Presented::Same(other) = books.present(&call(&faster), NOON).await.unwrap() else { panic!("it is known") };
            assert_eq!(first.id, other.id);
        }
        books.assert_balanced().await;
    }
}
