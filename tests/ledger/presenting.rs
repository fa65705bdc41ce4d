//! Showing a payment.

use coinslot::{
    error::Code,
    ledger::{
        BooksError, Claimed, HeldOrNot, NewRun, Presented,
        runs::{FOLLOWED_MS, NEVER_HELD_MAX, NEVER_HELD_WITHIN_MS, UNSEEN_MAX},
    },
    money::Asset,
    run::RunState,
};

use crate::{books::both_databases, people::*};

/// A payment that its client gave an id.
fn named(id: &str, new: NewRun) -> NewRun {
    NewRun { payment_id: Some(id.to_owned()), ..new }
}

both_databases! {
    /// Before anything is waited for, and with all that was said.
    async fn a_shown_payment_is_a_waiting_run(books: &TestBooks) {
        let new = call(&payment(1));
        let Presented::New(run) = books.present(&new, NOON).await.unwrap() else { panic!("it is new") };
        assert_eq!(run.state, RunState::Waiting);
        assert_eq!((&run.id, &run.agent, &run.version), (&new.id, &new.agent, &new.version));
        assert_eq!((run.payer, run.input.as_ref(), &run.input_sha256), (ADA, Some(&new.input), &new.input_sha256));
        assert_eq!((&run.network, &run.proof, &run.terms), (&new.network, &new.proof, &new.terms));
        assert_eq!((run.created_ms, run.presented_ms, run.held_ms, run.finished_ms), (NOON, NOON, None, None));
        assert_eq!((run.price.clone(), run.deposit_block, run.attempts, run.error.clone()), (None, None, 0, None));
        assert_eq!(books.run(&new.id).await.unwrap(), Some(run));
        assert_eq!(books.run("00000000-0000-7000-8000-000000000000").await.unwrap(), None);
        books.assert_balanced().await;
    }

    async fn the_same_call_shown_again_is_the_same_run(books: &TestBooks) {
        let first = books.shown(&call(&payment(1))).await;
        let Presented::Same(again) = books.present(&call(&payment(1)), NOON + MINUTE).await.unwrap() else { panic!("the same") };
        assert_eq!((again.id, again.created_ms, again.presented_ms), (first.id, NOON, NOON + MINUTE));
    }

    /// A second instance's clock may be behind.
    async fn showing_it_again_never_makes_it_look_older(books: &TestBooks) {
        books.shown(&call(&payment(1))).await;
        let Presented::Same(again) = books.present(&call(&payment(1)), NOON - MINUTE).await.unwrap() else { panic!("the same") };
        assert_eq!(again.presented_ms, NOON);
    }

    async fn a_bare_hash_has_no_terms(books: &TestBooks) {
        let run = books.shown(&NewRun { terms: None, ..call(&payment(1)) }).await;
        assert_eq!(run.terms, None);
    }

    /// Another tab, or the same page once its storage was read: the price that was shown holds.
    async fn a_later_echo_adds_its_terms_to_a_bare_hash(books: &TestBooks) {
        let run = books.shown(&NewRun { terms: None, ..call(&payment(1)) }).await;
        let Presented::Same(again) = books.present(&call(&payment(1)), NOON).await.unwrap() else { panic!("the same") };
        assert_eq!((again.id.clone(), again.terms.clone()), (run.id.clone(), call(&payment(1)).terms));
        assert_eq!(books.run(&run.id).await.unwrap(), Some(again.clone()));
        // The first offer stands, and a bare hash takes nothing away.
        let mut other = call(&payment(1));
        other.terms.as_mut().unwrap().price = mon("0.00005");
        for later in [other, NewRun { terms: None, ..call(&payment(1)) }] {
            let Presented::Same(later) = books.present(&later, NOON).await.unwrap() else { panic!("the same") };
            assert_eq!(later.terms, again.terms);
        }
    }

    async fn terms_come_too_late_for_a_run_that_was_judged(books: &TestBooks) {
        let run = books.shown(&NewRun { terms: None, ..call(&payment(1)) }).await;
        books.pays(ADA, &payment(1), "0.0001").await;
        books.held(&run, "0.0001").await;
        let Presented::Same(again) = books.present(&call(&payment(1)), NOON).await.unwrap() else { panic!("the same") };
        assert_eq!(again.terms, None);
        // But not for one that was void for what it can still become.
        let void = books.shown(&NewRun { terms: None, ..call(&payment(2)) }).await;
        books.void(&void.id, &too_low(), NOON).await.unwrap();
        let Presented::Same(again) = books.present(&call(&payment(2)), NOON).await.unwrap() else { panic!("the same") };
        assert_eq!((again.state, again.terms), (RunState::Waiting, call(&payment(2)).terms));
    }

    /// x402's payment-identifier: repeating it is safe, using it twice is an error.
    async fn one_payment_id_is_one_payment_for_one_call(books: &TestBooks) {
        let Presented::New(run) = books.present(&named("id", call(&payment(1))), NOON).await.unwrap() else { panic!("it is new") };
        let same = books.present(&named("id", call(&payment(1))), NOON).await.unwrap();
        assert!(matches!(&same, Presented::Same(again) if again.id == run.id), "{same:?}");
        for other in [
            call(&payment(2)),
            call(&credit(1)),
            with_input(&payment(1), "{}"),
            NewRun { agent: "other".into(), ..call(&payment(1)) },
            NewRun { network: OTHER_NETWORK.into(), terms: None, ..call(&payment(1)) },
        ] {
            let taken = books.present(&named("id", other), NOON).await.unwrap();
            assert!(matches!(&taken, Presented::PaymentIdTaken(first) if first.id == run.id), "{taken:?}");
        }
        let claimed = books.claim(&named("id", signed_call(ADA, 1)), &signed(), NOON).await.unwrap();
        assert!(matches!(&claimed, Claimed::PaymentIdTaken(first) if first.id == run.id), "{claimed:?}");
        assert_eq!(books.runs_of(ADA, None, 10).await.unwrap().len(), 1);
        // It is its payer's own, and no id is no id.
        assert!(matches!(books.present(&named("id", by(BOB, &payment(2))), NOON).await.unwrap(), Presented::New(_)));
        assert!(matches!(books.present(&call(&payment(3)), NOON).await.unwrap(), Presented::New(_)));
        assert!(matches!(books.present(&call(&credit(2)), NOON).await.unwrap(), Presented::New(_)));
    }

    async fn an_authorization_has_its_payment_id_too(books: &TestBooks) {
        let new = named("id", signed_call(ADA, 1));
        let Claimed::New(run) = books.claim(&new, &signed(), NOON).await.unwrap() else { panic!("it is new") };
        assert!(matches!(books.claim(&named("id", signed_call(ADA, 1)), &signed(), NOON).await.unwrap(), Claimed::Same(_)));
        let taken = books.claim(&named("id", signed_call(ADA, 2)), &signed(), NOON).await.unwrap();
        assert!(matches!(&taken, Claimed::PaymentIdTaken(first) if first.id == run.id), "{taken:?}");
        let taken = books.present(&named("id", call(&payment(1))), NOON).await.unwrap();
        assert!(matches!(&taken, Presented::PaymentIdTaken(first) if first.id == run.id), "{taken:?}");
    }

    async fn a_payment_that_was_shown_without_an_id_takes_its_first_one(books: &TestBooks) {
        let run = books.shown(&call(&payment(1))).await;
        assert!(matches!(books.present(&named("id", call(&payment(1))), NOON).await.unwrap(), Presented::Same(_)));
        let taken = books.present(&named("id", call(&payment(2))), NOON).await.unwrap();
        assert!(matches!(&taken, Presented::PaymentIdTaken(first) if first.id == run.id), "{taken:?}");
        assert!(matches!(books.present(&named("another", call(&payment(1))), NOON).await.unwrap(), Presented::Same(_)));
        assert!(matches!(books.present(&named("another", call(&payment(2))), NOON).await.unwrap(), Presented::New(_)));
    }

    async fn two_payments_with_one_id_at_once_are_one_run(books: &TestBooks) {
        let second = books.another().await;
        for n in 0..6 {
            let id = n.to_string();
            let (a, b) = (named(&id, by(BOB, &credit(n))), named(&id, by(BOB, &credit(n + 100))));
            let (a, b) = tokio::join!(books.present(&a, NOON), second.present(&b, NOON));
            let both = (a.unwrap(), b.unwrap());
            assert!(
                matches!(&both, (Presented::New(_), Presented::PaymentIdTaken(_)) | (Presented::PaymentIdTaken(_), Presented::New(_))),
                "{both:?}"
            );
        }
    }

    /// A UUID costs nothing to make; each that is shown is a row.
    async fn a_wallet_has_few_calls_from_credit_that_nothing_was_held_for(books: &TestBooks) {
        let show = |n, now_ms| async move { books.present(&call(&credit(n)), now_ms).await.unwrap() };
        for n in 0..NEVER_HELD_MAX {
            let Presented::New(run) = show(n, NOON).await else { panic!("it is new") };
            if n % 2 == 0 {
                books.void(&run.id, &too_low(), NOON).await.unwrap();
            }
        }
        assert!(matches!(show(100, NOON).await, Presented::TooManyVoid));
        assert!(matches!(show(0, NOON).await, Presented::Same(_)), "that is no row more");
        assert!(matches!(books.present(&by(BOB, &credit(100)), NOON).await.unwrap(), Presented::New(_)), "not against others");
        assert!(matches!(books.present(&call(&payment(1)), NOON).await.unwrap(), Presented::New(_)), "that is not from credit");
        assert!(matches!(show(100, NOON + NEVER_HELD_WITHIN_MS - 1).await, Presented::TooManyVoid));
        // What is held makes room, and so does time.
        books.pays(ADA, &payment(1), "1").await;
        let Presented::Same(run) = show(1, NOON).await else { panic!("the same") };
        books.held(&run, "0.0001").await;
        assert!(matches!(show(100, NOON).await, Presented::New(_)));
        assert!(matches!(show(101, NOON).await, Presented::TooManyVoid));
        assert!(matches!(show(101, NOON + NEVER_HELD_WITHIN_MS).await, Presented::New(_)));
    }

    async fn that_limit_holds_also_when_all_come_at_once(books: &TestBooks) {
        let second = books.another().await;
        let shown = futures::future::join_all((0..30).map(|n| {
            let books = if n % 2 == 0 { (**books).clone() } else { second.clone() };
            tokio::spawn(async move { books.present(&call(&credit(n)), NOON).await.unwrap() })
        }))
        .await;
        let new = shown.into_iter().filter(|shown| matches!(shown.as_ref().unwrap(), Presented::New(_))).count();
        assert_eq!(new, NEVER_HELD_MAX as usize);
    }

    /// O2.
    async fn one_payment_is_for_one_body(books: &TestBooks) {
        let run = books.shown(&call(&payment(1))).await;
        let other = books.present(&with_input(&payment(1), "{}"), NOON).await.unwrap();
        assert!(matches!(other, Presented::OtherUse(first) if first == run));
    }

    /// O3.
    async fn one_payment_is_for_one_agent(books: &TestBooks) {
        let run = books.shown(&call(&payment(1))).await;
        let other = books.present(&NewRun { agent: "other-agent".into(), ..call(&payment(1)) }, NOON).await.unwrap();
        assert!(matches!(other, Presented::OtherUse(first) if first == run));
        assert_eq!(books.runs_of(ADA, None, 10).await.unwrap(), [run]);
    }

    /// Who shows a fresh hash first has a run of his own, which nobody pays; the payer has hers.
    async fn a_thief_who_is_faster_blocks_nobody(books: &TestBooks) {
        let stolen = books.shown(&by(THIEF, &payment(1))).await;
        let run = books.shown(&by(ADA, &payment(1))).await;
        assert_ne!(stolen.id, run.id);
        books.pays(ADA, &payment(1), "0.0001").await;
        let held = books.hold(&stolen.id, &coin(), mon("0.0001"), NOON).await.unwrap();
        assert!(matches!(held, HeldOrNot::TooLow(amount) if amount.is_zero()));
        books.held(&run, "0.0001").await;
        assert_eq!(books.run(&run.id).await.unwrap().unwrap().deposit_block, Some(7));
        assert_eq!(books.run(&stolen.id).await.unwrap().unwrap().deposit_block, None, "her payment is not his");
        assert!(books.balances(THIEF).await.unwrap().is_empty());
        books.assert_balanced().await;
    }

    /// O2, and UNIQUE's race: the requests of a double click, a second tab and a retry are one run.
    async fn the_same_proof_shown_twenty_times_at_once_is_one_run(books: &TestBooks) {
        let second = books.another().await;
        let shown = futures::future::join_all((0..20).map(|n| {
            let books = if n % 2 == 0 { (**books).clone() } else { second.clone() };
            tokio::spawn(async move { books.present(&call(&payment(1)), NOON).await.unwrap() })
        }))
        .await;
        let (mut new, mut ids) = (0, std::collections::HashSet::new());
        for shown in shown {
            match shown.unwrap() {
                Presented::New(run) => { new += 1; ids.insert(run.id); }
                Presented::Same(run) => { ids.insert(run.id); }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((new, ids.len()), (1, 1));
        assert_eq!(books.runs_of(ADA, None, 100).await.unwrap().len(), 1);
    }

    /// One of the two bodies gets the payment, the other is told; never both.
    async fn two_bodies_at_once_for_one_payment_are_one_run(books: &TestBooks) {
        for n in 0..10 {
            let (a, b) = (call(&payment(n)), with_input(&payment(n), "{}"));
            books.pays(ADA, &payment(n), "0.0001").await;
            let (a, b) = tokio::join!(books.present(&a, NOON), books.present(&b, NOON));
            let both = (a.unwrap(), b.unwrap());
            assert!(matches!(&both, (Presented::New(_), Presented::OtherUse(_)) | (Presented::OtherUse(_), Presented::New(_))),
                "{both:?}");
        }
    }

    async fn a_wallet_has_few_payments_that_nobody_has_seen(books: &TestBooks) {
        for n in 0..u64::from(UNSEEN_MAX) {
            books.shown(&call(&payment(n))).await;
        }
        let one_more = |now_ms| async move { books.present(&call(&payment(9)), now_ms).await.unwrap() };
        assert!(matches!(one_more(NOON).await, Presented::TooManyUnseen));
        assert!(matches!(books.present(&call(&payment(0)), NOON).await.unwrap(), Presented::Same(_)), "not against itself");
        assert!(matches!(books.present(&by(BOB, &payment(9)), NOON).await.unwrap(), Presented::New(_)), "not against others");
        assert!(matches!(books.present(&call(&credit(1)), NOON).await.unwrap(), Presented::New(_)), "credit has been seen");
        assert!(matches!(one_more(NOON + FOLLOWED_MS - 1).await, Presented::TooManyUnseen));
        // What is seen makes room.
        books.pays(ADA, &payment(1), "0.0001").await;
        assert!(matches!(one_more(NOON).await, Presented::New(_)));
    }

    async fn unseen_payments_count_on_all_networks_until_they_are_not_followed(books: &TestBooks) {
        for n in 0..u64::from(UNSEEN_MAX) {
            books.shown(&NewRun { network: OTHER_NETWORK.into(), terms: None, ..call(&payment(n)) }).await;
        }
        assert!(matches!(books.present(&call(&payment(0)), NOON).await.unwrap(), Presented::TooManyUnseen));
        let later = NOON + FOLLOWED_MS;
        for n in 10..10 + u64::from(UNSEEN_MAX) {
            assert!(matches!(books.present(&call(&payment(n)), later).await.unwrap(), Presented::New(_)));
        }
        // The old ones are not followed any more; all of them together would be as many as fresh ones.
        let old = NewRun { network: OTHER_NETWORK.into(), terms: None, ..call(&payment(0)) };
        assert!(matches!(books.present(&old, later).await.unwrap(), Presented::TooManyUnseen));
    }

    /// Counting is no constraint: it needs the wallet's requests one after the other.
    async fn the_limit_holds_also_when_all_come_at_once(books: &TestBooks) {
        let second = books.another().await;
        let shown = futures::future::join_all((0..12).map(|n| {
            let books = if n % 2 == 0 { (**books).clone() } else { second.clone() };
            tokio::spawn(async move { books.present(&call(&payment(n)), NOON).await.unwrap() })
        }))
        .await;
        let new = shown.into_iter().filter(|shown| matches!(shown.as_ref().unwrap(), Presented::New(_))).count();
        assert_eq!(new, UNSEEN_MAX as usize);
    }

    async fn a_run_that_had_too_little_credit_is_judged_again(books: &TestBooks) {
        let run = books.shown(&call(&payment(1))).await;
        books.void(&run.id, &too_low(), NOON).await.unwrap();
        let void = books.run(&run.id).await.unwrap().unwrap();
        assert_eq!((void.state, void.error, void.finished_ms), (RunState::Void, Some(too_low()), Some(NOON)));
        let Presented::Same(again) = books.present(&call(&payment(1)), NOON + 1).await.unwrap() else { panic!("the same") };
        assert_eq!((again.id, again.state, again.error, again.finished_ms), (run.id, RunState::Waiting, None, None));
        books.assert_balanced().await;
    }

    async fn a_run_that_is_void_for_good_stays_void(books: &TestBooks) {
        let run = books.shown(&call(&payment(1))).await;
        books.void(&run.id, &Code::PaymentReverted.into(), NOON).await.unwrap();
        let Presented::Same(again) = books.present(&call(&payment(1)), NOON + 1).await.unwrap() else { panic!("the same") };
        assert_eq!(again.state, RunState::Void);
        books.pays(ADA, &payment(2), "1").await;
        assert!(matches!(books.hold(&run.id, &coin(), mon("0.0001"), NOON).await.unwrap(), HeldOrNot::NotWaiting(_)));
    }

    async fn a_run_under_way_does_not_become_void(books: &TestBooks) {
        let run = books.bought(ADA, 1).await;
        books.void(&run.id, &Code::PaymentReverted.into(), NOON).await.unwrap();
        assert_eq!(books.run(&run.id).await.unwrap(), Some(run));
    }

    async fn what_is_no_proof_or_of_two_networks_is_refused(books: &TestBooks) {
        let no_proof = books.present(&call("0x1234"), NOON).await;
        assert!(matches!(no_proof, Err(BooksError::Refused(_))));
        let mut two_networks = call(&payment(1));
        two_networks.terms.as_mut().unwrap().asset = Asset::native(OTHER_NETWORK);
        assert!(matches!(books.present(&two_networks, NOON).await, Err(BooksError::Refused(_))));
        assert!(books.runs_of(ADA, None, 10).await.unwrap().is_empty());
    }

    async fn the_lists_of_runs_hold_what_they_say(books: &TestBooks) {
        let held = books.bought(ADA, 1).await;
        let waiting = books.shown(&call(&payment(2))).await;
        let void = books.shown(&call(&payment(3))).await;
        books.void(&void.id, &Code::PaymentReverted.into(), NOON).await.unwrap();
        let elsewhere = books.shown(&NewRun { network: OTHER_NETWORK.into(), terms: None, ..call(&payment(4)) }).await;
        let bobs = books.shown(&by(BOB, &payment(5))).await;
        let ids = |runs: Vec<coinslot::ledger::Run>| runs.into_iter().map(|run| run.id).collect::<Vec<_>>();
        let all = [&elsewhere.id, &void.id, &waiting.id, &held.id];

        assert_eq!(ids(books.runs_of(ADA, None, 10).await.unwrap()).iter().collect::<Vec<_>>(), all);
        assert_eq!(ids(books.runs_of(ADA, None, 2).await.unwrap()).iter().collect::<Vec<_>>(), all[..2]);
        assert_eq!(ids(books.runs_of(ADA, Some(&void.id), 10).await.unwrap()).iter().collect::<Vec<_>>(), all[2..]);
        let awaited: Vec<_> = books.waiting(NETWORK, NOON).await.unwrap().into_iter().map(|run| run.id).collect();
        assert_eq!(awaited, [waiting.id.clone(), bobs.id]);
        assert_eq!(ids(books.under_way(ADA, NOON).await.unwrap()), [elsewhere.id, waiting.id, held.id.clone()]);
        let later = NOON + FOLLOWED_MS;
        assert!(books.waiting(NETWORK, later).await.unwrap().is_empty());
        assert_eq!(ids(books.under_way(ADA, later).await.unwrap()), [held.id]);
    }

    async fn a_waiting_run_knows_the_block_that_shows_its_payment(books: &TestBooks) {
        let run = books.shown(&call(&payment(1))).await;
        let block = || async { books.run(&run.id).await.unwrap().unwrap().included_block };
        books.set_included(NETWORK, &payment(1), Some(5)).await.unwrap();
        assert_eq!(block().await, Some(5));
        books.set_included(OTHER_NETWORK, &payment(1), Some(6)).await.unwrap();
        assert_eq!(block().await, Some(5));
        books.set_included(NETWORK, &payment(1), None).await.unwrap();
        assert_eq!(block().await, None);
    }
}
