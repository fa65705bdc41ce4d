//! Sessions, nonces, leases by name, and what is swept away.

use coinslot::{
    error::Code,
    evm::Address,
    ledger::{
        Books, BooksError, Presented, Session,
        watches::{WATCH_MS, Watch},
    },
    run::RunState,
};

use crate::{books::both_databases, people::*};

fn by_key(wallet: Address, until_ms: i64) -> Session {
    Session { wallet, network: None, until_ms }
}

both_databases! {
    async fn a_session_is_its_wallets_until_it_ends(books: &TestBooks) {
        books.start_session("one", &by_key(ADA, NOON + HOUR), NOON).await.unwrap();
        books.start_session("two", &by_key(BOB, NOON + HOUR), NOON).await.unwrap();
        assert_eq!(books.session("one", NOON + HOUR - 1).await.unwrap(), Some(by_key(ADA, NOON + HOUR)));
        assert_eq!(books.session("one", NOON + HOUR).await.unwrap(), None);
        assert_eq!(books.session("none", NOON).await.unwrap(), None);
        books.end_session("one").await.unwrap();
        assert_eq!(books.session("one", NOON).await.unwrap(), None);
        assert_eq!(books.session("two", NOON).await.unwrap(), Some(by_key(BOB, NOON + HOUR)));
    }

    /// The same address on another network may be somebody else's contract.
    async fn p5_a_contracts_session_counts_on_its_own_network(books: &TestBooks) {
        let of_contract = Session { network: Some(NETWORK.to_owned()), ..by_key(ADA, NOON + HOUR) };
        books.start_session("one", &of_contract, NOON).await.unwrap();
        let session = books.session("one", NOON).await.unwrap().unwrap();
        assert_eq!(session, of_contract);
        assert!(session.counts_on(NETWORK) && !session.counts_on("eip155:1") && by_key(ADA, NOON).counts_on("eip155:1"));
    }

    async fn a_nonce_is_spent_once(books: &TestBooks) {
        let second = books.another().await;
        let spent = futures::future::join_all((0..8).map(|n| {
            let books = if n % 2 == 0 { (**books).clone() } else { second.clone() };
            tokio::spawn(async move { books.spend_nonce("nonce", NOON, NOON + MINUTE).await.unwrap() })
        }))
        .await;
        assert_eq!(spent.into_iter().filter(|spent| *spent.as_ref().unwrap()).count(), 1);
        assert!(books.spend_nonce("another", NOON, NOON + MINUTE).await.unwrap());
        assert!(!books.spend_nonce("too old", NOON, NOON).await.unwrap());
        // Swept when it is too old to be accepted anyway, not before.
        books.sweep(NOON + MINUTE - 1).await.unwrap();
        assert!(!books.spend_nonce("nonce", NOON, NOON + MINUTE).await.unwrap());
        books.sweep(NOON + MINUTE).await.unwrap();
        assert!(books.spend_nonce("nonce", NOON, NOON + MINUTE).await.unwrap());
    }

    async fn a_nonce_that_was_shown_with_a_payment_goes_with_that_one_only(books: &TestBooks) {
        let second = books.another().await;
        let same = futures::future::join_all((0..8).map(|n| {
            let books = if n % 2 == 0 { (**books).clone() } else { second.clone() };
            tokio::spawn(async move { books.spend_nonce_for("nonce", "credit/one", NOON, NOON + MINUTE).await.unwrap() })
        }))
        .await;
        assert!(same.into_iter().all(|spent| spent.unwrap()), "the same request, sent often");
        assert!(!books.spend_nonce_for("nonce", "credit/two", NOON, NOON + MINUTE).await.unwrap());
        assert!(!books.spend_nonce("nonce", NOON, NOON + MINUTE).await.unwrap(), "nor does it begin a session");
        assert!(books.spend_nonce("session", NOON, NOON + MINUTE).await.unwrap());
        assert!(!books.spend_nonce_for("session", "credit/one", NOON, NOON + MINUTE).await.unwrap());
        assert!(!books.spend_nonce_for("too old", "credit/one", NOON, NOON).await.unwrap());
    }

    async fn a_role_has_one_holder(books: &TestBooks) {
        let second = books.another().await;
        assert!(books.lease_name("follower", "a", NOON, 100).await.unwrap());
        assert!(!second.lease_name("follower", "b", NOON + 99, 100).await.unwrap());
        assert!(books.lease_name("follower", "a", NOON + 50, 100).await.unwrap(), "renewed");
        assert!(second.lease_name("another", "b", NOON, 100).await.unwrap());
        assert!(second.lease_name("follower", "b", NOON + 150, 100).await.unwrap(), "it ended");
        books.give_up_name("follower", "a").await.unwrap();
        assert!(!books.lease_name("follower", "a", NOON + 151, 100).await.unwrap(), "it was not its own to give up");
        second.give_up_name("follower", "b").await.unwrap();
        assert!(books.lease_name("follower", "a", NOON + 151, 100).await.unwrap());
    }

    async fn a_role_wanted_by_many_at_once_has_one_holder(books: &TestBooks) {
        let second = books.another().await;
        let holders = futures::future::join_all((0..8).map(|n| {
            let books = if n % 2 == 0 { (**books).clone() } else { second.clone() };
            tokio::spawn(async move { books.lease_name("follower", &n.to_string(), NOON, 100).await.unwrap() })
        }))
        .await;
        assert_eq!(holders.into_iter().filter(|held| *held.as_ref().unwrap()).count(), 1);
    }

    /// A demo's chain that began anew, or the wrong RPC URL.
    async fn another_chain_under_the_same_name_is_noticed(books: &TestBooks) {
        assert!(books.meet_network(NETWORK, "aa").await.unwrap());
        assert!(books.meet_network(OTHER_NETWORK, "bb").await.unwrap());
        let later = books.another().await;
        assert!(later.meet_network(NETWORK, "aa").await.unwrap());
        assert!(!later.meet_network(NETWORK, "bb").await.unwrap());
        assert!(later.meet_network(NETWORK, "aa").await.unwrap(), "the first one stands");
    }

    async fn sweeping_takes_ended_sessions_and_watches_only(books: &TestBooks) {
        let watch = |wallet, until_ms| Watch {
            network: NETWORK.into(), wallet, from_block: 5, until_ms, agent: XRAY.into(), input: INPUT.into(), amount: None, next_nonce: None,
        };
        books.start_session("ended", &by_key(ADA, NOON + 1), NOON).await.unwrap();
        books.start_session("open", &by_key(ADA, NOON + 3 * DAY), NOON).await.unwrap();
        for wallet in [ADA, BOB, THIEF] {
            books.open_watch(&watch(wallet, NOON + WATCH_MS), NOON).await.unwrap();
        }
        books.pays(ADA, &payment(1), "0.0001").await;
        books.open_watch(&watch(BOB, NOON + 2 * DAY), NOON + DAY).await.unwrap();
        books.sweep(NOON + DAY + WATCH_MS).await.unwrap();
        assert_eq!(books.tamper("delete from sessions").await, 1, "the open one was left");
        assert_eq!(books.arrivals(ADA).await.unwrap().len(), 1);
        assert_eq!(books.tamper("delete from watches").await, 2, "the thief's is gone");
    }

    async fn a_payment_that_nobody_shows_and_no_network_knows_is_given_up_after_a_day(books: &TestBooks) {
        let unseen = books.shown(&call(&payment(1))).await;
        let paid = books.shown(&call(&payment(2))).await;
        books.pays(ADA, &payment(2), "0.0001").await;
        let state = |id: String| async move { books.run(&id).await.unwrap().unwrap().state };
        books.sweep(NOON + DAY - 1).await.unwrap();
        assert_eq!(state(unseen.id.clone()).await, RunState::Waiting);
        books.sweep(NOON + DAY).await.unwrap();
        assert_eq!(state(paid.id).await, RunState::Waiting, "its money is here");
        let void = books.run(&unseen.id).await.unwrap().unwrap();
        assert_eq!((void.state, void.error.map(|error| error.code)), (RunState::Void, Some(Code::PaymentNotFound)));
        // Shown again, it is looked for again.
        let Presented::Same(again) = books.present(&call(&payment(1)), NOON + DAY).await.unwrap() else { panic!("the same") };
        assert_eq!((again.id, again.state), (unseen.id, RunState::Waiting));
        books.assert_balanced().await;
    }

    async fn a_second_instance_sees_what_the_first_one_wrote(books: &TestBooks) {
        let second = books.another().await;
        let run = second.shown(&call(&payment(1))).await;
        books.pays(ADA, &payment(1), "0.0001").await;
        second.held(&run, "0.0001").await;
        assert_eq!(books.leased("a", NOON).await.id, run.id);
        assert!(second.capture(&run.id, "a", "{}", "computed", NOON).await.unwrap());
        assert_eq!(books.run(&run.id).await.unwrap().unwrap().state, RunState::Done);
        assert_eq!(second.audit().await.unwrap(), books.audit().await.unwrap());
        second.ping().await.unwrap();
        second.close().await;
        assert!(second.ping().await.is_err(), "what is closed does not say that all is well");
        books.ping().await.unwrap();
    }

    /// A rolling start; the first one migrates.
    async fn instances_that_start_at_once_all_open(books: &TestBooks) {
        let url = books.empty_neighbour().await;
        let opened = futures::future::join_all((0..4).map(|_| {
            let url = url.clone();
            tokio::spawn(async move { Books::open(&url).await.map(drop) })
        }))
        .await;
        for opened in opened {
            opened.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn a_database_that_is_none_is_refused() {
    for url in ["mysql://localhost/x", "sqlite::memory:", "books.db"] {
        assert!(matches!(Books::open(url).await, Err(BooksError::Refused(_))), "{url}");
    }
    assert!(matches!(Books::open("sqlite:///no/such/directory/books.db").await, Err(BooksError::Database(_))));
}
