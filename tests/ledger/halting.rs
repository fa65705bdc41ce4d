//! A halted network: since when and why, for every instance, until an operator has looked.

use coinslot::ledger::{Books, Halt, deposits::ReadTo};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, SqlSafeStr, any::AnyConnectOptions};

use crate::{books::both_databases, people::*};

fn block(height: u64, hash: u8) -> ReadTo {
    ReadTo { height, hash: [hash; 32] }
}

both_databases! {
    async fn s3_a_halt_says_since_when_and_why_to_every_instance(books: &TestBooks) {
        let other = books.another().await;
        assert_eq!(books.halt_of(NETWORK).await.unwrap(), None);
        books.halt_network(NETWORK, 9, "two of its nodes have another block", NOON).await.unwrap();
        books.halt_network(NETWORK, 7, "and a lower one", NOON + HOUR).await.unwrap();
        let halt = Halt { height: 7, since_ms: Some(NOON), why: Some("two of its nodes have another block".into()) };
        assert_eq!(other.halt_of(NETWORK).await.unwrap(), Some(halt), "the lowest block, the first time and reason");
        assert_eq!((other.halted(NETWORK).await.unwrap(), other.halt_of(OTHER_NETWORK).await.unwrap()), (Some(7), None));
        other.close().await;
    }

    async fn s3_a_resumed_network_goes_on_where_it_was(books: &TestBooks) {
        let other = books.another().await;
        assert!(!books.resume(NETWORK, None).await.unwrap(), "it was not halted");
        books.deposit_block(NETWORK, block(10, 1), &[], NOON).await.unwrap();
        books.halt_network(NETWORK, 10, "changed", NOON).await.unwrap();
        books.halt_network(OTHER_NETWORK, 3, "changed", NOON).await.unwrap();
        assert!(other.resume(NETWORK, None).await.unwrap());
        assert_eq!((books.halt_of(NETWORK).await.unwrap(), books.read_to(NETWORK).await.unwrap()), (None, Some(block(10, 1))));
        assert_eq!(books.halted(OTHER_NETWORK).await.unwrap(), Some(3), "another network is another halt");

        books.halt_network(NETWORK, 10, "changed again", NOON + HOUR).await.unwrap();
        assert_eq!(books.halt_of(NETWORK).await.unwrap().unwrap().since_ms, Some(NOON + HOUR));
        assert!(!other.resume(NETWORK, Some(block(9, 2))).await.unwrap(), "that is not where it was read to");
        assert!(books.halted(NETWORK).await.unwrap().is_some());
        assert!(other.resume(NETWORK, Some(block(10, 2))).await.unwrap());
        assert_eq!((books.halted(NETWORK).await.unwrap(), books.read_to(NETWORK).await.unwrap()), (None, Some(block(10, 2))));
        other.close().await;
    }

    async fn s3_a_halt_of_before_it_was_written_down_why_stands_and_is_taken_back(books: &TestBooks) {
        let url = books.empty_neighbour().await;
        let text = include_str!("../../migrations/1_books.sql").into_sql_str();
        let first = Migrator::with_migrations(vec![Migration::new(1, "books".into(), MigrationType::Simple, text, false)]);
        let made = if url.starts_with("sqlite") { format!("{url}?mode=rwc") } else { url.clone() };
        let mut before = made.parse::<AnyConnectOptions>().unwrap().connect().await.unwrap();
        first.run(&mut before).await.unwrap();
        before.execute(AssertSqlSafe(format!("insert into cursors (network, halted_height) values ('{NETWORK}', 8)"))).await.unwrap();
        drop(before);
        let opened = Books::open(&url).await.unwrap();
        assert_eq!(opened.halt_of(NETWORK).await.unwrap(), Some(Halt { height: 8, since_ms: None, why: None }));
        assert!(opened.resume(NETWORK, None).await.unwrap());
        assert_eq!(opened.halt_of(NETWORK).await.unwrap(), None);
        opened.close().await;
    }
}
