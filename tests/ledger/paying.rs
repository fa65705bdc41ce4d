//! Money that arrives, and what it is held for.

use coinslot::{
    ledger::{BooksError, Deposit, HeldOrNot, credit::EventKind, deposits::ReadTo, runs::FAILURES_MAX},
    money::{Amount, Asset},
    run::RunState,
};

use crate::{books::both_databases, people::*};

fn block(height: u64) -> ReadTo {
    ReadTo { height, hash: [height as u8; 32] }
}

both_databases! {
    async fn a_payment_is_its_payers_credit_once(books: &TestBooks) {
        let deposit = arrived(ADA, &payment(1), "0.25");
        assert!(books.deposit(&deposit, NOON).await.unwrap());
        assert!(!books.deposit(&deposit, NOON + 1).await.unwrap(), "it was booked before");
        assert_eq!(books.credit_of(ADA).await, mon("0.25"));
        assert_eq!(books.find_deposit(NETWORK, &payment(1)).await.unwrap(), Some(deposit));
        assert_eq!(books.find_deposit(OTHER_NETWORK, &payment(1)).await.unwrap(), None);
        let stored = books.find_deposit(NETWORK, &payment(1)).await.unwrap().unwrap();
        assert_eq!((format!("tx/{}", stored.transaction), stored.pay_to), (payment(1), SHOP));
        books.assert_balanced().await;
    }

    /// Two instances, and a request beside the follower: whoever sees it first.
    async fn a_payment_told_of_by_many_at_once_is_booked_once(books: &TestBooks) {
        let second = books.another().await;
        let told = futures::future::join_all((0..16).map(|n| {
            let books = if n % 2 == 0 { (**books).clone() } else { second.clone() };
            tokio::spawn(async move {
                let deposit = arrived(ADA, &payment(1), "1");
                if n % 3 == 0 {
                    books.deposit_block(NETWORK, block(7), &[deposit, arrived(BOB, &payment(2), "1")], NOON).await.unwrap();
                    0
                } else {
                    usize::from(books.deposit(&deposit, NOON).await.unwrap())
                }
            })
        }))
        .await;
        assert!(told.into_iter().map(Result::unwrap).sum::<usize>() <= 1);
        assert_eq!((books.credit_of(ADA).await, books.credit_of(BOB).await), (mon("1"), mon("1")));
        books.assert_balanced().await;
    }

    async fn what_is_overpaid_stands_as_credit(books: &TestBooks) {
        let run = books.shown(&call(&payment(1))).await;
        books.pays(ADA, &payment(1), "0.0003").await;
        let held = books.held(&run, "0.0001").await;
        assert_eq!((held.state, held.price, held.held_ms), (RunState::Held, Some((coin(), mon("0.0001"))), Some(NOON)));
        assert_eq!(books.credit_of(ADA).await, mon("0.0002"));
        books.assert_balanced().await;
    }

    async fn a_call_underpaid_twice_runs_when_it_is_enough(books: &TestBooks) {
        let hold = |run: String| async move { books.hold(&run, &coin(), mon("0.0001"), NOON).await.unwrap() };
        let first = books.shown(&call(&payment(1))).await;
        books.pays(ADA, &payment(1), "0.00003").await;
        assert!(matches!(hold(first.id.clone()).await, HeldOrNot::TooLow(has) if has == mon("0.00003")));
        books.void(&first.id, &too_low(), NOON).await.unwrap();
        let second = books.shown(&call(&payment(2))).await;
        books.pays(ADA, &payment(2), "0.00003").await;
        assert!(matches!(hold(second.id.clone()).await, HeldOrNot::TooLow(has) if has == mon("0.00006")));
        books.void(&second.id, &too_low(), NOON).await.unwrap();
        let third = books.shown(&call(&payment(3))).await;
        books.pays(ADA, &payment(3), "0.00004").await;
        assert!(matches!(hold(third.id).await, HeldOrNot::Held(_)));
        assert!(books.credit_of(ADA).await.is_zero());
        // And the first one, without being shown again, once there is credit for it.
        books.pays(ADA, &payment(4), "0.0001").await;
        assert!(matches!(hold(first.id).await, HeldOrNot::Held(_)));
        books.assert_balanced().await;
    }

    /// Paying twice for one call costs once; the rest stands as credit.
    async fn a_second_payment_for_the_same_call_becomes_credit(books: &TestBooks) {
        let run = books.bought(ADA, 1).await;
        books.pays(ADA, &payment(2), "0.0001").await;
        assert_eq!(books.leased("a", NOON).await.id, run.id);
        assert!(books.capture(&run.id, "a", "{}", "computed", NOON).await.unwrap());
        assert_eq!(books.credit_of(ADA).await, mon("0.0001"));
        // Which pays for the next one, with no payment at all.
        let next = books.shown(&call(&credit(1))).await;
        books.held(&next, "0.0001").await;
        assert!(books.credit_of(ADA).await.is_zero());
        books.assert_balanced().await;
    }

    async fn a_run_is_held_once(books: &TestBooks) {
        let run = books.shown(&call(&payment(1))).await;
        books.pays(ADA, &payment(1), "0.0005").await;
        let second = books.another().await;
        let held = futures::future::join_all((0..8).map(|n| {
            let (books, run) = (if n % 2 == 0 { (**books).clone() } else { second.clone() }, run.id.clone());
            tokio::spawn(async move { books.hold(&run, &coin(), mon("0.0001"), NOON).await.unwrap() })
        }))
        .await;
        let held = held.into_iter().filter(|held| matches!(held.as_ref().unwrap(), HeldOrNot::Held(_))).count();
        assert_eq!((held, books.credit_of(ADA).await), (1, mon("0.0004")));
        books.assert_balanced().await;
    }

    async fn a_hold_that_does_not_happen_changes_nothing(books: &TestBooks) {
        let run = books.shown(&call(&payment(1))).await;
        let hold = books.hold(&run.id, &coin(), mon("0.0001"), NOON).await.unwrap();
        assert!(matches!(hold, HeldOrNot::TooLow(has) if has.is_zero()));
        assert!(books.balances(ADA).await.unwrap().is_empty());
        assert_eq!(books.run(&run.id).await.unwrap(), Some(run));
        let audit = books.audit().await.unwrap();
        assert_eq!((audit.runs, audit.entries, audit.deposits), (1, 0, 0));
    }

    async fn nothing_is_sold_for_nothing_or_for_play_money(books: &TestBooks) {
        let run = books.shown(&call(&payment(1))).await;
        books.pays(ADA, &payment(1), "1").await;
        let elsewhere = Asset::native(OTHER_NETWORK);
        for (run, asset, price) in [
            (run.id.as_str(), coin(), Amount::ZERO),
            (&run.id, elsewhere.clone(), mon("0.0001")),
            ("no such run", coin(), mon("0.0001")),
        ] {
            assert!(matches!(books.hold(run, &asset, price, NOON).await, Err(BooksError::Refused(_))));
        }
        let forged = Deposit { asset: elsewhere, ..arrived(ADA, &payment(2), "1") };
        assert!(matches!(books.deposit(&forged, NOON).await, Err(BooksError::Refused(_))));
        assert_eq!(books.balances(ADA).await.unwrap(), [(coin(), mon("1"))]);
        books.assert_balanced().await;
    }

    async fn a_sum_past_256_bits_is_refused_and_nothing_is_written(books: &TestBooks) {
        let most = Deposit { amount: Amount::from_be_bytes([0xff; 32]), ..arrived(ADA, &payment(1), "0") };
        assert!(books.deposit(&most, NOON).await.unwrap());
        let one_more = books.deposit(&arrived(ADA, &payment(2), "1"), NOON).await;
        assert!(matches!(one_more, Err(BooksError::Overflow(_))));
        assert_eq!(books.find_deposit(NETWORK, &payment(2)).await.unwrap(), None);
        assert_eq!(books.credit_of(ADA).await, most.amount);
        books.assert_balanced().await;
    }

    /// Nine MON and a bit are more wei than 64 bits with a sign hold.
    async fn large_amounts_are_exact(books: &TestBooks) {
        books.pays(ADA, &payment(1), "1000000000.000000000000000001").await;
        let run = books.shown(&call(&payment(1))).await;
        books.held(&run, "999999999.999999999999999999").await;
        assert_eq!(books.credit_of(ADA).await, mon("0.000000000000000002"));
        books.assert_balanced().await;
    }

    async fn failing_too_often_is_a_pause(books: &TestBooks) {
        let run = books.shown(&call(&payment(1))).await;
        books.pays(ADA, &payment(1), "0.0001").await;
        for n in 0..i64::from(FAILURES_MAX) {
            books.fails_once(&run, NOON + n * MINUTE).await;
        }
        let now_ms = NOON + 10 * MINUTE;
        let pause = books.hold(&run.id, &coin(), mon("0.0001"), now_ms).await.unwrap();
        assert!(matches!(pause, HeldOrNot::FailingTooOften(wait_ms) if wait_ms == (50 * MINUTE) as u64), "{pause:?}");
        assert_eq!(books.credit_of(ADA).await, mon("0.0001"));
        // Also for another run of hers, not for others.
        let other = books.shown(&with_input(&payment(2), "{}")).await;
        books.pays(ADA, &payment(2), "0.0001").await;
        let pause = books.hold(&other.id, &coin(), mon("0.0001"), now_ms).await.unwrap();
        assert!(matches!(pause, HeldOrNot::FailingTooOften(_)));
        books.bought(BOB, 3).await;
        let free = books.hold(&other.id, &coin(), mon("0.0001"), NOON + HOUR).await.unwrap();
        assert!(matches!(free, HeldOrNot::Held(_)), "the first one is forgotten: {free:?}");
        books.assert_balanced().await;
    }

    async fn a_block_is_booked_with_its_cursor(books: &TestBooks) {
        assert_eq!(books.read_to(NETWORK).await.unwrap(), None);
        let of = |payer, n| Deposit { block: 8, ..arrived(payer, &payment(n), "1") };
        books.deposit_block(NETWORK, block(8), &[of(BOB, 1), of(ADA, 2), of(ADA, 3)], NOON).await.unwrap();
        assert_eq!((books.credit_of(ADA).await, books.credit_of(BOB).await), (mon("2"), mon("1")));
        assert_eq!(books.read_to(NETWORK).await.unwrap(), Some(block(8)));
        assert_eq!(books.read_to(OTHER_NETWORK).await.unwrap(), None);
        books.assert_balanced().await;
    }

    /// Told again after a crash, or by a slower instance.
    async fn an_older_block_books_what_is_new_and_the_cursor_stays(books: &TestBooks) {
        books.deposit_block(NETWORK, block(8), &[arrived(ADA, &payment(1), "1")], NOON).await.unwrap();
        let older = [arrived(ADA, &payment(1), "1"), arrived(ADA, &payment(2), "1")];
        books.deposit_block(NETWORK, block(7), &older, NOON).await.unwrap();
        let same_height = ReadTo { height: 8, hash: [0xee; 32] };
        books.deposit_block(NETWORK, same_height, &[], NOON).await.unwrap();
        assert_eq!(books.read_to(NETWORK).await.unwrap(), Some(block(8)));
        assert_eq!(books.credit_of(ADA).await, mon("2"));
        books.assert_balanced().await;
    }

    async fn a_block_that_cannot_be_booked_leaves_the_cursor(books: &TestBooks) {
        let most = Deposit { amount: Amount::from_be_bytes([0xff; 32]), ..arrived(ADA, &payment(1), "0") };
        books.deposit_block(NETWORK, block(7), &[most], NOON).await.unwrap();
        let too_much = [arrived(BOB, &payment(2), "1"), arrived(ADA, &payment(3), "1")];
        assert!(matches!(books.deposit_block(NETWORK, block(8), &too_much, NOON).await, Err(BooksError::Overflow(_))));
        let elsewhere = [Deposit { network: OTHER_NETWORK.into(), ..arrived(BOB, &payment(4), "1") }];
        assert!(matches!(books.deposit_block(NETWORK, block(8), &elsewhere, NOON).await, Err(BooksError::Refused(_))));
        assert_eq!((books.read_to(NETWORK).await.unwrap(), books.credit_of(BOB).await), (Some(block(7)), Amount::ZERO));
    }

    async fn a_halted_network_stays_halted(books: &TestBooks) {
        assert_eq!(books.halted(NETWORK).await.unwrap(), None);
        books.halt_network(NETWORK, 9, "first", NOON).await.unwrap();
        books.halt_network(NETWORK, 7, "lower", NOON + 1).await.unwrap();
        books.halt_network(NETWORK, 8, "higher", NOON + 2).await.unwrap();
        books.deposit_block(NETWORK, block(10), &[], NOON).await.unwrap();
        assert_eq!((books.halted(NETWORK).await.unwrap(), books.read_to(NETWORK).await.unwrap()), (Some(7), Some(block(10))));
        assert_eq!(books.halted(OTHER_NETWORK).await.unwrap(), None);
    }

    async fn deposits_are_listed_in_pages(books: &TestBooks) {
        let all: Vec<Deposit> = (0..5).map(|n| arrived(if n % 2 == 0 { ADA } else { BOB }, &payment(n), "1")).collect();
        for deposit in &all {
            books.deposit(deposit, NOON).await.unwrap();
        }
        let first = books.deposits_after("", 3).await.unwrap();
        let rest = books.deposits_after(&first[2].0, 3).await.unwrap();
        assert_eq!((first.len(), rest.len()), (3, 2));
        assert_eq!(first.into_iter().chain(rest).map(|(_, deposit)| deposit).collect::<Vec<_>>(), all);
    }

    /// Every line of how a balance came about, newest first, and nobody else's.
    async fn the_statement_tells_how_the_credit_came_about(books: &TestBooks) {
        let run = books.bought(ADA, 1).await;
        books.leased("a", NOON).await;
        books.release(&run.id, "a", &agent_failed(), NOON).await.unwrap();
        books.held(&run, "0.0001").await;
        books.leased("b", NOON).await;
        books.capture(&run.id, "b", "{}", "computed", NOON + 5).await.unwrap();
        books.bought(BOB, 2).await;

        let lines = books.statement(ADA, None, 10).await.unwrap();
        let kinds: Vec<EventKind> = lines.iter().map(|line| line.kind).collect();
        use EventKind::{Capture, Deposit, Hold, Release};
        assert_eq!(kinds, [Capture, Hold, Release, Hold, Deposit]);
        assert!(lines.iter().all(|line| line.amount == mon("0.0001") && line.asset == coin() && line.network == NETWORK));
        assert_eq!((lines[0].run.as_deref(), lines[0].agent.as_deref(), lines[0].at_ms), (Some(&*run.id), Some(XRAY), NOON + 5));
        assert_eq!((lines[4].run.as_deref(), lines[4].transaction.as_deref()), (None, payment(1).strip_prefix("tx/")));
        assert_eq!(books.statement(ADA, None, 2).await.unwrap(), lines[..2]);
        assert_eq!(books.statement(ADA, Some(&lines[1].event), 10).await.unwrap(), lines[2..]);
        assert!(books.statement(THIEF, None, 10).await.unwrap().is_empty());
    }
}
