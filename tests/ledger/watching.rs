//! A wallet that is about to pay, and what arrives without its hash.

use coinslot::{
    evm::Address,
    ledger::{
        Deposit, NewRun,
        deposits::ReadTo,
        watches::{Arrival, WATCH_MS, Watch},
    },
};

use crate::{books::both_databases, people::*};

/// Ada asks for the X-ray, with the final head at 5.
fn watch() -> Watch {
    Watch {
        network: NETWORK.into(),
        wallet: ADA,
        from_block: 5,
        until_ms: NOON + WATCH_MS,
        agent: XRAY.into(),
        input: INPUT.into(),
    }
}

fn arrival(n: u64) -> Arrival {
    Arrival { watch: watch(), proof: payment(n) }
}

both_databases! {
    async fn a_watch_is_open_until_it_ends_unless_it_is_renewed(books: &TestBooks) {
        assert!(!books.renew_watch(NETWORK, ADA, NOON).await.unwrap(), "there is none");
        books.open_watch(&watch(), NOON).await.unwrap();
        assert_eq!(books.open_watches(NETWORK, NOON).await.unwrap(), [watch()]);
        assert!(books.open_watches(OTHER_NETWORK, NOON).await.unwrap().is_empty());
        assert!(books.renew_watch(NETWORK, ADA, NOON + MINUTE).await.unwrap());
        let end = NOON + MINUTE + WATCH_MS;
        assert_eq!(books.open_watches(NETWORK, end - 1).await.unwrap(), [Watch { until_ms: end, ..watch() }]);
        assert!(books.open_watches(NETWORK, end).await.unwrap().is_empty());
        assert!(!books.renew_watch(NETWORK, ADA, end).await.unwrap(), "it is over");
    }

    /// The first dialog may still be open in the wallet.
    async fn opening_it_again_keeps_the_lower_block_while_it_is_open(books: &TestBooks) {
        books.open_watch(&watch(), NOON).await.unwrap();
        let second = Watch { from_block: 9, until_ms: NOON + MINUTE + WATCH_MS, input: "{}".into(), ..watch() };
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
        assert_eq!(books.arrivals(ADA).await.unwrap(), [arrival(1)]);
        assert!(books.arrivals(BOB).await.unwrap().is_empty());
        books.sweep(NOON + 9 * DAY).await.unwrap();
        assert_eq!(books.arrivals(ADA).await.unwrap(), [arrival(1)], "it outlives its watch");
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
        assert!(books.arrivals(ADA).await.unwrap().is_empty());
        // A thief who shows her hash takes nothing from her.
        books.shown(&by(THIEF, &payment(5))).await;
        books.pays(ADA, &payment(5), "0.0001").await;
        assert_eq!(books.arrivals(ADA).await.unwrap(), [arrival(5)]);
    }

    /// We were down when it became final.
    async fn a_payment_mined_in_time_and_read_late_is_an_arrival(books: &TestBooks) {
        books.open_watch(&watch(), NOON).await.unwrap();
        books.deposit(&arrived(ADA, &payment(1), "0.0001"), NOON + DAY).await.unwrap();
        assert_eq!(books.arrivals(ADA).await.unwrap(), [arrival(1)]);
    }

    async fn an_arrival_is_used_when_its_hash_is_shown(books: &TestBooks) {
        books.open_watch(&watch(), NOON).await.unwrap();
        books.pays(ADA, &payment(1), "0.0001").await;
        books.shown(&by(THIEF, &payment(1))).await;
        assert_eq!(books.arrivals(ADA).await.unwrap(), [arrival(1)]);
        books.shown(&call(&payment(1))).await;
        assert!(books.arrivals(ADA).await.unwrap().is_empty());
    }

    async fn an_arrival_is_used_when_the_asked_run_is_held(books: &TestBooks) {
        books.open_watch(&watch(), NOON).await.unwrap();
        books.pays(ADA, &payment(1), "0.0003").await;
        let other = books.shown(&with_input(&credit(1), "{}")).await;
        books.held(&other, "0.0001").await;
        assert_eq!(books.arrivals(ADA).await.unwrap(), [arrival(1)], "that was another run");
        let asked = books.shown(&call(&credit(2))).await;
        books.held(&asked, "0.0001").await;
        assert!(books.arrivals(ADA).await.unwrap().is_empty());
        // The wallet is watched on, and what comes now is credit: the run that was asked for has its money.
        books.pays(ADA, &payment(2), "0.0001").await;
        assert!(books.arrivals(ADA).await.unwrap().is_empty());
        assert_eq!(books.open_watches(NETWORK, NOON).await.unwrap(), [watch()]);
        books.leased("a", NOON).await;
        assert_eq!(books.leased("b", NOON).await.id, asked.id);
        assert!(books.capture(&asked.id, "b", "{}", "computed", NOON).await.unwrap());
        books.open_watch(&watch(), NOON).await.unwrap();
        books.pays(ADA, &payment(3), "0.0001").await;
        assert_eq!(books.arrivals(ADA).await.unwrap(), [arrival(3)], "asked for once more");
    }

    /// The page asks again every few minutes while it waits, and when it is loaded anew.
    async fn a_run_under_way_stays_answered_when_its_watch_is_renewed(books: &TestBooks) {
        books.open_watch(&watch(), NOON).await.unwrap();
        let run = books.bought(ADA, 1).await;
        let renew = |minutes: i64| Watch { until_ms: NOON + minutes * MINUTE + WATCH_MS, ..watch() };
        books.open_watch(&renew(5), NOON + 5 * MINUTE).await.unwrap();
        assert!(books.renew_watch(NETWORK, ADA, NOON + 6 * MINUTE).await.unwrap());
        books.pays(ADA, &payment(2), "0.0001").await;
        assert!(books.arrivals(ADA).await.unwrap().is_empty(), "it is held: what comes now is credit");
        books.leased("a", NOON).await;
        books.open_watch(&renew(10), NOON + 10 * MINUTE).await.unwrap();
        books.pays(ADA, &payment(3), "0.0001").await;
        assert!(books.arrivals(ADA).await.unwrap().is_empty(), "it is running: what comes now is credit");
        // Another run is another matter, and so is this one after its end.
        books.open_watch(&Watch { input: "{}".into(), ..renew(11) }, NOON + 11 * MINUTE).await.unwrap();
        books.pays(ADA, &payment(4), "0.0001").await;
        assert_eq!(books.arrivals(ADA).await.unwrap()[0].proof, payment(4));
        assert!(books.capture(&run.id, "a", "{}", "computed", NOON).await.unwrap());
        books.open_watch(&renew(12), NOON + 12 * MINUTE).await.unwrap();
        books.pays(ADA, &payment(5), "0.0001").await;
        assert_eq!(books.arrivals(ADA).await.unwrap()[0].proof, payment(5));
    }

    async fn asking_for_the_same_run_keeps_its_arrival_and_another_forgets_it(books: &TestBooks) {
        books.open_watch(&watch(), NOON).await.unwrap();
        books.pays(ADA, &payment(1), "0.0001").await;
        books.open_watch(&watch(), NOON + 1).await.unwrap();
        assert_eq!(books.arrivals(ADA).await.unwrap(), [arrival(1)]);
        books.open_watch(&Watch { input: "{}".into(), ..watch() }, NOON + 2).await.unwrap();
        assert!(books.arrivals(ADA).await.unwrap().is_empty());
    }

    async fn a_dismissed_arrival_is_credit(books: &TestBooks) {
        books.open_watch(&watch(), NOON).await.unwrap();
        books.pays(ADA, &payment(1), "0.0001").await;
        books.dismiss_arrival(NETWORK, ADA).await.unwrap();
        assert!(books.arrivals(ADA).await.unwrap().is_empty());
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
            assert!(books.arrivals(wallet).await.unwrap().is_empty());
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
        assert_eq!(books.arrivals(ADA).await.unwrap(), [Arrival { watch: elsewhere, proof: payment(2) }, arrival(1)]);
        // Bought with the one, the other is credit.
        let run = books.shown(&NewRun { terms: None, ..call(&payment(1)) }).await;
        books.held(&run, "0.0001").await;
        assert!(books.arrivals(ADA).await.unwrap().is_empty());
        books.assert_balanced().await;
    }
}
