//! A wallet that is about to pay, and what arrives without its hash.

use coinslot::{
    evm::Address,
    ledger::{
        Books, Deposit, NewRun,
        deposits::ReadTo,
        watches::{Arrival, Opened, WATCH_MS, WATCHES_MAX, Watch},
    },
};

use sqlx::{
    SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

use crate::{books::both_databases, people::*};

/// What arrived for a watch, by its proof: which id a watch has is its own affair.
fn arrival(n: u64) -> (Watch, String) {
    (watch(), payment(n))
}

async fn arrivals(books: &Books, wallet: Address) -> Vec<(Watch, String)> {
    let told = books.arrivals(wallet).await.unwrap();
    told.into_iter().map(|Arrival { watch, proof, .. }| (watch, proof)).collect()
}

async fn opened(books: &Books, watch: &Watch, now_ms: i64) -> String {
    match books.open_watch(watch, now_ms).await.unwrap() {
        Opened::Watching(id) => id,
        Opened::TooMany => panic!("there is room"),
    }
}

both_databases! {
    async fn a_watch_is_open_until_it_ends_unless_it_is_renewed(books: &TestBooks) {
        assert!(!books.renew_watch("none", ADA, NOON).await.unwrap(), "there is none");
        let id = opened(books, &watch(), NOON).await;
        assert_eq!(books.open_watches(NETWORK, NOON).await.unwrap(), [watch()]);
        assert!(books.open_watches(OTHER_NETWORK, NOON).await.unwrap().is_empty());
        assert!(!books.renew_watch(&id, THIEF, NOON + MINUTE).await.unwrap(), "it is not his");
        assert!(books.renew_watch(&id, ADA, NOON + MINUTE).await.unwrap());
        let end = NOON + MINUTE + WATCH_MS;
        assert_eq!(books.open_watches(NETWORK, end - 1).await.unwrap(), [Watch { until_ms: end, ..watch() }]);
        assert!(books.open_watches(NETWORK, end).await.unwrap().is_empty());
        assert!(!books.renew_watch(&id, ADA, end).await.unwrap(), "it is over");
    }

    /// The first dialog may still be open in the wallet.
    async fn opening_it_again_keeps_the_lower_block_while_it_is_open(books: &TestBooks) {
        books.open_watch(&watch(), NOON).await.unwrap();
        let second = Watch { from_block: 9, until_ms: NOON + MINUTE + WATCH_MS, ..watch() };
        books.open_watch(&second, NOON + MINUTE).await.unwrap();
        assert_eq!(books.open_watches(NETWORK, NOON).await.unwrap(), [Watch { from_block: 5, ..second.clone() }]);
        let third = Watch { from_block: 20, until_ms: NOON + DAY + WATCH_MS, ..watch() };
        books.open_watch(&third, NOON + DAY).await.unwrap();
        assert_eq!(books.open_watches(NETWORK, NOON + DAY).await.unwrap(), [third]);
    }

    /// The tab was closed while the wallet asked: no hash ever reached us.
    async fn a_payment_whose_hash_nobody_showed_is_an_arrival(books: &TestBooks) {
        books.open_watch(&watch(), NOON).await.unwrap();
        let read_to = ReadTo { height: 7, hash: [7; 32] };
        books.deposit_block(NETWORK, read_to, &[arrived(ADA, &payment(1), "0.0001")], NOON).await.unwrap();
        assert_eq!(arrivals(books, ADA).await, [arrival(1)]);
        assert!(arrivals(books, BOB).await.is_empty());
        books.sweep(NOON + 9 * DAY).await.unwrap();
        assert_eq!(arrivals(books, ADA).await, [arrival(1)], "it outlives its watch");
        assert_eq!(books.credit_of(ADA).await, mon("0.0001"));
    }

    async fn what_is_not_the_awaited_payment_is_no_arrival(books: &TestBooks) {
        books.open_watch(&watch(), NOON).await.unwrap();
        // Shown by a run, whether its payer's page was faster or not.
        books.shown(&call(&payment(1))).await;
        books.pays(ADA, &payment(1), "0.0001").await;
        // Of somebody else, of before the watch, and of long after it.
        books.pays(BOB, &payment(2), "0.0001").await;
        books.deposit(&Deposit { block: 5, ..arrived(ADA, &payment(3), "0.0001") }, NOON).await.unwrap();
        let end = NOON + WATCH_MS;
        let late = Deposit { block_time_ms: end + 1, ..arrived(ADA, &payment(4), "0.0001") };
        books.deposit(&late, end + 1).await.unwrap();
        assert!(arrivals(books, ADA).await.is_empty());
        // A thief who shows her hash takes nothing from her.
        books.shown(&by(THIEF, &payment(5))).await;
        books.pays(ADA, &payment(5), "0.0001").await;
        assert_eq!(arrivals(books, ADA).await, [arrival(5)]);
    }

    /// We were down when it became final.
    async fn a_payment_mined_in_time_and_read_late_is_an_arrival(books: &TestBooks) {
        books.open_watch(&watch(), NOON).await.unwrap();
        books.deposit(&arrived(ADA, &payment(1), "0.0001"), NOON + DAY).await.unwrap();
        assert_eq!(arrivals(books, ADA).await, [arrival(1)]);
    }

    async fn an_arrival_is_used_when_its_hash_is_shown(books: &TestBooks) {
        books.open_watch(&watch(), NOON).await.unwrap();
        books.pays(ADA, &payment(1), "0.0001").await;
        books.shown(&by(THIEF, &payment(1))).await;
        assert_eq!(arrivals(books, ADA).await, [arrival(1)]);
        books.shown(&call(&payment(1))).await;
        assert!(arrivals(books, ADA).await.is_empty());
    }

    async fn an_arrival_is_used_when_the_asked_run_is_held(books: &TestBooks) {
        books.open_watch(&watch(), NOON).await.unwrap();
        books.pays(ADA, &payment(1), "0.0003").await;
        let other = books.shown(&with_input(&credit(1), "{}")).await;
        books.held(&other, "0.0001").await;
        assert_eq!(arrivals(books, ADA).await, [arrival(1)], "that was another run");
        let asked = books.shown(&call(&credit(2))).await;
        books.held(&asked, "0.0001").await;
        assert!(arrivals(books, ADA).await.is_empty());
        // The wallet is watched on, and what comes now is credit: the run that was asked for has its money.
        books.pays(ADA, &payment(2), "0.0001").await;
        assert!(arrivals(books, ADA).await.is_empty());
        assert_eq!(books.open_watches(NETWORK, NOON).await.unwrap(), [watch()]);
        books.leased("a", NOON).await;
        assert_eq!(books.leased("b", NOON).await.id, asked.id);
        assert!(books.capture(&asked.id, "b", "{}", "computed", NOON).await.unwrap());
        books.open_watch(&watch(), NOON).await.unwrap();
        books.pays(ADA, &payment(3), "0.0001").await;
        assert_eq!(arrivals(books, ADA).await, [arrival(3)], "asked for once more");
    }

    /// The page asks again every few minutes while it waits, and when it is loaded anew.
    async fn a_run_under_way_stays_answered_when_its_watch_is_renewed(books: &TestBooks) {
        books.open_watch(&watch(), NOON).await.unwrap();
        let run = books.bought(ADA, 1).await;
        let renew = |minutes: i64| Watch { until_ms: NOON + minutes * MINUTE + WATCH_MS, ..watch() };
        let id = opened(books, &renew(5), NOON + 5 * MINUTE).await;
        assert!(!books.renew_watch(&id, ADA, NOON + 6 * MINUTE).await.unwrap(), "what is answered is not asked about any more");
        books.pays(ADA, &payment(2), "0.0001").await;
        assert!(arrivals(books, ADA).await.is_empty(), "it is held: what comes now is credit");
        books.leased("a", NOON).await;
        books.open_watch(&renew(10), NOON + 10 * MINUTE).await.unwrap();
        books.pays(ADA, &payment(3), "0.0001").await;
        assert!(arrivals(books, ADA).await.is_empty(), "it is running: what comes now is credit");
        // Another run is another matter, and so is this one after its end.
        books.open_watch(&Watch { input: "{}".into(), ..renew(11) }, NOON + 11 * MINUTE).await.unwrap();
        books.pays(ADA, &payment(4), "0.0001").await;
        let other = (Watch { input: "{}".into(), ..renew(11) }, payment(4));
        assert_eq!(arrivals(books, ADA).await, std::slice::from_ref(&other));
        assert!(books.capture(&run.id, "a", "{}", "computed", NOON).await.unwrap());
        books.open_watch(&renew(12), NOON + 12 * MINUTE).await.unwrap();
        books.pays(ADA, &payment(5), "0.0001").await;
        assert_eq!(arrivals(books, ADA).await, [(renew(12), payment(5)), other]);
    }

    async fn asking_for_the_same_run_keeps_its_arrival_and_so_does_asking_for_another(books: &TestBooks) {
        books.open_watch(&watch(), NOON).await.unwrap();
        books.pays(ADA, &payment(1), "0.0001").await;
        books.open_watch(&watch(), NOON + 1).await.unwrap();
        assert_eq!(arrivals(books, ADA).await, [arrival(1)]);
        books.open_watch(&Watch { input: "{}".into(), ..watch() }, NOON + 2).await.unwrap();
        assert_eq!(arrivals(books, ADA).await, [arrival(1)]);
    }

    async fn a_dismissed_arrival_is_credit(books: &TestBooks) {
        books.open_watch(&watch(), NOON).await.unwrap();
        books.pays(ADA, &payment(1), "0.0001").await;
        books.dismiss_arrivals(NETWORK, ADA, NOON).await.unwrap();
        assert!(arrivals(books, ADA).await.is_empty());
        assert_eq!(books.credit_of(ADA).await, mon("0.0001"));
    }

    /// The page's request and the follower's block cross.
    async fn a_payment_shown_in_the_moment_it_is_booked_is_no_arrival(books: &TestBooks) {
        let second = books.another().await;
        for n in 0..10 {
            let wallet = Address([n; 20]);
            books.open_watch(&Watch { wallet, ..watch() }, NOON).await.unwrap();
            let (deposit, run) = (arrived(wallet, &payment(n.into()), "0.0001"), by(wallet, &payment(n.into())));
            let (booked, shown) = tokio::join!(second.deposit(&deposit, NOON), books.present(&run, NOON));
            booked.unwrap();
            shown.unwrap();
            assert!(arrivals(books, wallet).await.is_empty());
        }
    }

    async fn arrivals_come_from_every_network(books: &TestBooks) {
        let elsewhere = Watch { network: OTHER_NETWORK.into(), ..watch() };
        books.open_watch(&watch(), NOON).await.unwrap();
        books.open_watch(&elsewhere, NOON).await.unwrap();
        books.pays(ADA, &payment(1), "0.0001").await;
        let asset = coinslot::money::Asset::native(OTHER_NETWORK);
        let deposit = Deposit { network: OTHER_NETWORK.into(), asset, ..arrived(ADA, &payment(2), "0.0001") };
        books.deposit(&deposit, NOON).await.unwrap();
        assert_eq!(arrivals(books, ADA).await, [(elsewhere, payment(2)), arrival(1)]);
        // Bought with the one, the other is credit.
        let run = books.shown(&NewRun { terms: None, ..call(&payment(1)) }).await;
        books.held(&run, "0.0001").await;
        assert!(arrivals(books, ADA).await.is_empty());
        books.assert_balanced().await;
    }

    /// Two tabs, or two agents: both of the wallet's questions are open, and both are confirmed after their pages are gone.
    async fn p8_two_calls_whose_questions_are_open_are_both_found(books: &TestBooks) {
        let other = Watch { agent: "tx-explainer".into(), input: r#"{"hash":"0x02"}"#.into(), ..watch() };
        let (first, second) = (opened(books, &watch(), NOON).await, opened(books, &other, NOON + 1).await);
        assert_ne!(first, second);
        books.pays(ADA, &payment(1), "0.0001").await;
        assert_eq!(arrivals(books, ADA).await, [arrival(1)], "the one that was asked first");
        assert_eq!(books.answered_watches(ADA).await.unwrap(), std::slice::from_ref(&first), "the other question is still open");
        books.pays(ADA, &payment(2), "0.0001").await;
        assert_eq!(arrivals(books, ADA).await, [arrival(1), (other.clone(), payment(2))]);
        assert_eq!(books.answered_watches(ADA).await.unwrap(), [second.clone(), first]);
        books.pays(ADA, &payment(3), "0.0001").await;
        assert_eq!(arrivals(books, ADA).await.len(), 2, "a third is credit");
        // Each is run or left by itself.
        books.dismiss_watch(&second, THIEF, NOON).await.unwrap();
        assert_eq!(arrivals(books, ADA).await.len(), 2, "it is not his");
        books.dismiss_watch(&second, ADA, NOON).await.unwrap();
        assert_eq!(arrivals(books, ADA).await, [arrival(1)]);
        let run = books.shown(&call(&credit(1))).await;
        books.held(&run, "0.0001").await;
        assert!(arrivals(books, ADA).await.is_empty());
        assert_eq!(books.answered_watches(ADA).await.unwrap().len(), 2, "and neither is asked about again");
        assert_eq!(books.credit_of(ADA).await, mon("0.0002"));
        books.assert_balanced().await;
    }

    async fn p8_of_two_calls_a_payment_is_for_the_one_of_its_amount(books: &TestBooks) {
        let dear = Watch { agent: "analyst".into(), input: "{}".into(), amount: Some(mon("0.002")), ..watch() };
        books.open_watch(&watch(), NOON).await.unwrap();
        books.open_watch(&dear, NOON + 1).await.unwrap();
        books.pays(ADA, &payment(1), "0.002").await;
        assert_eq!(arrivals(books, ADA).await, [(dear, payment(1))]);
        // Of no amount that was asked for: whoever still waits has it.
        books.pays(ADA, &payment(2), "0.0007").await;
        assert_eq!(arrivals(books, ADA).await[0], arrival(2));
    }

    /// One question was answered with a hash that its page has shown; the other's page is gone.
    async fn p8_a_payment_without_its_hash_is_for_the_call_that_has_none(books: &TestBooks) {
        let other = Watch { input: "{}".into(), ..watch() };
        books.open_watch(&watch(), NOON).await.unwrap();
        books.open_watch(&other, NOON + 1).await.unwrap();
        books.shown(&call(&payment(1))).await;
        books.pays(ADA, &payment(2), "0.0001").await;
        assert_eq!(arrivals(books, ADA).await, [(other, payment(2))]);
    }

    /// Its page was slow to show the hash, and it was taken for the other call's meanwhile.
    async fn p8_a_payment_that_turns_out_to_be_another_calls_leaves_the_question_open(books: &TestBooks) {
        let other = Watch { input: "{}".into(), ..watch() };
        let question = opened(books, &other, NOON).await;
        books.open_watch(&watch(), NOON + 1).await.unwrap();
        books.pays(ADA, &payment(1), "0.0001").await;
        assert_eq!(arrivals(books, ADA).await, [(other.clone(), payment(1))]);
        let run = books.shown(&call(&payment(1))).await;
        books.held(&run, "0.0001").await;
        assert!(arrivals(books, ADA).await.is_empty());
        assert!(!books.answered_watches(ADA).await.unwrap().contains(&question), "its own payment may still come");
        books.pays(ADA, &payment(2), "0.0001").await;
        assert_eq!(arrivals(books, ADA).await, [(other, payment(2))]);
    }

    async fn p8_the_open_watches_of_a_wallet_are_bounded(books: &TestBooks) {
        let of = |n: u32| Watch { input: n.to_string(), ..watch() };
        let mut ids = Vec::new();
        for n in 0..WATCHES_MAX {
            ids.push(opened(books, &of(n), NOON).await);
        }
        assert_eq!(books.open_watch(&of(99), NOON).await.unwrap(), Opened::TooMany);
        // The same call again is no other one; another wallet is not concerned.
        assert_eq!(opened(books, &of(0), NOON).await, ids[0]);
        books.open_watch(&Watch { wallet: BOB, ..of(99) }, NOON).await.unwrap();
        // The wallet was told no, or the payment came.
        books.dismiss_watch(&ids[1], ADA, NOON).await.unwrap();
        opened(books, &of(99), NOON).await;
        books.pays(ADA, &payment(1), "0.0001").await;
        opened(books, &of(100), NOON).await;
        assert_eq!(books.open_watch(&of(101), NOON).await.unwrap(), Opened::TooMany);
        // What has ended counts until the blocks of its time were read, and is no row after that.
        let later = NOON + WATCH_MS + 1;
        assert_eq!(books.open_watch(&of(101), later).await.unwrap(), Opened::TooMany);
        books.deposit_block(NETWORK, ReadTo { height: 9, hash: [9; 32] }, &[], later).await.unwrap();
        books.note_read_time(NETWORK, later).await.unwrap();
        opened(books, &Watch { until_ms: later + WATCH_MS, ..of(101) }, later).await;
        assert_eq!(books.tamper("delete from watches where wallet like '0xadad%'").await, 2, "the arrival's, and the new one");
    }

    async fn p8_watches_that_are_opened_at_once_are_counted_one_after_the_other(books: &TestBooks) {
        let second = books.another().await;
        let opened = futures::future::join_all((0..24).map(|n: u32| {
            let books = if n.is_multiple_of(2) { (**books).clone() } else { second.clone() };
            tokio::spawn(async move { books.open_watch(&Watch { input: (n / 2).to_string(), ..watch() }, NOON).await.unwrap() })
        }))
        .await;
        let ids: std::collections::HashSet<_> = opened
            .into_iter()
            .filter_map(|opened| match opened.unwrap() {
                Opened::Watching(id) => Some(id),
                Opened::TooMany => None,
            })
            .collect();
        assert_eq!(ids.len(), WATCHES_MAX as usize, "one for each call, and no more than may be open");
    }

    /// A shop that was opened before there was a watch per call.
    async fn p8_watches_of_before_are_kept(books: &TestBooks) {
        let url = books.empty_neighbour().await;
        let text = include_str!("../../migrations/1_books.sql").into_sql_str();
        let before = Migrator::with_migrations(vec![Migration::new(1, "books".into(), MigrationType::Simple, text, false)]);
        sqlx::any::install_default_drivers();
        let url = if url.starts_with("sqlite") { format!("{url}?mode=rwc") } else { url };
        let pool = sqlx::AnyPool::connect(&url).await.unwrap();
        before.run(&pool).await.unwrap();
        sqlx::query("insert into watches (network, wallet, from_block, until_ms, agent, input) values ($1, $2, 5, $3, $4, $5)")
            .bind(NETWORK)
            .bind(ADA.to_string())
            .bind(NOON + WATCH_MS)
            .bind(XRAY)
            .bind(INPUT)
            .execute(&pool)
            .await
            .unwrap();
        pool.close().await;
        let after = Books::open(url.trim_end_matches("?mode=rwc")).await.unwrap();
        let kept = Watch { amount: None, next_nonce: None, ..watch() };
        assert_eq!(after.open_watches(NETWORK, NOON).await.unwrap(), std::slice::from_ref(&kept));
        after.pays(ADA, &payment(1), "0.0001").await;
        assert_eq!(arrivals(&after, ADA).await, [(kept, payment(1))]);
        after.close().await;
    }
}
