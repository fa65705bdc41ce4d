//! Transactions that were shown without a call: followed, counted, booked once, forgotten.

use coinslot::{
    evm::TxHash,
    ledger::{
        BooksError, Presented,
        followed::{FOLLOWED_MAX, Followed},
        runs::{FOLLOWED_MS, UNSEEN_MAX},
    },
};

use crate::{books::both_databases, people::*};

fn hash(n: u64) -> TxHash {
    payment(n).strip_prefix("tx/").unwrap().parse().unwrap()
}

both_databases! {
    async fn m3_a_transaction_is_followed_until_it_is_booked(books: &TestBooks) {
        let follow = async |n, wallet, now_ms| books.follow_transaction(NETWORK, &payment(n), wallet, now_ms).await;
        assert_eq!(follow(1, ADA, NOON).await.unwrap(), Followed::Yes);
        // Shown again, and by somebody else: it is looked up once.
        assert_eq!(follow(1, ADA, NOON + 5).await.unwrap(), Followed::Yes);
        assert_eq!(follow(1, THIEF, NOON).await.unwrap(), Followed::Yes);
        assert_eq!(books.followed_transactions(NETWORK, NOON).await.unwrap(), [hash(1)]);
        assert!(books.followed_transactions(OTHER_NETWORK, NOON).await.unwrap().is_empty());
        assert!(books.followed_unasked(NETWORK, NOON).await.unwrap().is_empty());
        let later = NOON + 5 + FOLLOWED_MS;
        assert!(books.followed_transactions(NETWORK, later).await.unwrap().is_empty());
        assert_eq!(books.followed_unasked(NETWORK, later).await.unwrap(), [hash(1)]);
        // Booked to whom the chain names.
        books.pays(ADA, &payment(1), "0.0001").await;
        assert!(books.followed_transactions(NETWORK, NOON).await.unwrap().is_empty());
        assert!(books.followed_unasked(NETWORK, later).await.unwrap().is_empty());
        assert_eq!((follow(1, ADA, NOON).await.unwrap(), follow(1, THIEF, NOON).await.unwrap()), (Followed::Arrived, Followed::Elsewhere));
        assert_eq!((books.credit_of(ADA).await, books.credit_of(THIEF).await.is_zero()), (mon("0.0001"), true));
        assert!(matches!(books.follow_transaction(NETWORK, &credit(1), ADA, NOON).await, Err(BooksError::Refused(_))));
        books.assert_balanced().await;
    }

    async fn m3_a_run_that_shows_it_takes_it_over(books: &TestBooks) {
        let follow = async |n, wallet| books.follow_transaction(NETWORK, &payment(n), wallet, NOON).await;
        follow(1, ADA).await.unwrap();
        follow(1, BOB).await.unwrap();
        let run = books.shown(&call(&payment(1))).await;
        assert_eq!(follow(1, ADA).await.unwrap(), Followed::OfRun(run.id.clone()));
        assert_eq!(books.followed_transactions(NETWORK, NOON).await.unwrap(), [hash(1)], "Bob's row is his own");
        books.forget_transaction(NETWORK, &payment(1)).await.unwrap();
        assert!(books.followed_transactions(NETWORK, NOON).await.unwrap().is_empty());
        assert_eq!(books.now(&run).await, run, "the run still waits for it");
    }

    /// Of runs and of no runs together, on all networks.
    async fn m3_a_wallet_has_few_that_nobody_has_seen(books: &TestBooks) {
        let follow = async |n, network, now_ms| books.follow_transaction(network, &payment(n), ADA, now_ms).await;
        books.shown(&call(&payment(1))).await;
        assert_eq!(follow(2, NETWORK, NOON).await.unwrap(), Followed::Yes);
        assert_eq!(follow(3, OTHER_NETWORK, NOON).await.unwrap(), Followed::Yes);
        assert_eq!((follow(4, NETWORK, NOON).await.unwrap(), UNSEEN_MAX), (Followed::TooMany, 3));
        assert!(matches!(books.present(&call(&payment(4)), NOON).await.unwrap(), Presented::TooManyUnseen));
        assert_eq!(follow(2, NETWORK, NOON).await.unwrap(), Followed::Yes, "it is no other one");
        assert!(matches!(books.present(&call(&payment(2)), NOON).await.unwrap(), Presented::New(_)), "nor is its run");
        // One that was seen is none of them any more; nor is one that nobody asks about, until it is shown again.
        books.pays(ADA, &payment(1), "0.0001").await;
        assert_eq!(follow(4, NETWORK, NOON).await.unwrap(), Followed::Yes);
        let later = NOON + 2 * FOLLOWED_MS;
        for n in 5..8 {
            assert_eq!(follow(n, NETWORK, later).await.unwrap(), Followed::Yes);
        }
        assert_eq!(follow(4, NETWORK, later).await.unwrap(), Followed::TooMany);
        assert_eq!(books.followed_unasked(NETWORK, later).await.unwrap(), [hash(4)], "and it is still looked for");
    }

    /// A wallet is free to make.
    async fn m3_all_wallets_together_have_not_too_many(books: &TestBooks) {
        let wallet = |n: u64| {
            let mut bytes = [0; 20];
            bytes[..8].copy_from_slice(&n.to_be_bytes());
            coinslot::evm::Address(bytes)
        };
        for n in 0..u64::from(FOLLOWED_MAX) {
            assert_eq!(books.follow_transaction(NETWORK, &payment(n), wallet(n), NOON).await.unwrap(), Followed::Yes);
        }
        assert_eq!(books.follow_transaction(NETWORK, &payment(5_000), ADA, NOON).await.unwrap(), Followed::TooMany);
        assert_eq!(books.follow_transaction(NETWORK, &payment(7), wallet(7), NOON + 1).await.unwrap(), Followed::Yes);
        assert_eq!(books.follow_transaction(OTHER_NETWORK, &payment(5_000), ADA, NOON).await.unwrap(), Followed::Yes);
        books.pays(BOB, &payment(9), "1").await;
        assert_eq!(books.follow_transaction(NETWORK, &payment(5_001), ADA, NOON).await.unwrap(), Followed::Yes, "there is a place");
        // A day later nobody waits for them any more.
        books.sweep(NOON + DAY + 2).await.unwrap();
        assert!(books.followed_unasked(NETWORK, NOON + DAY + 2).await.unwrap().is_empty());
        assert_eq!(books.tamper("delete from followed_transactions").await, 0);
    }
}
