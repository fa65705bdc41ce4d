//! Books that an older version wrote open, and what is in them stands.

use coinslot::ledger::{Books, How};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Executor, SqlSafeStr,
    any::AnyConnectOptions,
    migrate::{Migration, MigrationType, Migrator},
};

use crate::{books::both_databases, people::*};

both_databases! {
    async fn m1_books_of_before_open_and_their_wrapped_deposits_stand(books: &TestBooks) {
        let url = books.empty_neighbour().await;
        let text = include_str!("../../migrations/1_books.sql").into_sql_str();
        let first = Migrator::with_migrations(vec![Migration::new(1, "books".into(), MigrationType::Simple, text, false)]);
        let made = if url.starts_with("sqlite") { format!("{url}?mode=rwc") } else { url.clone() };
        let mut before = made.parse::<AnyConnectOptions>().unwrap().connect().await.unwrap();
        first.run(&mut before).await.unwrap();
        for (n, payer) in [(1, ADA), (2, BOB)] {
            let deposit = settlement(payer, n);
            let (proof, hash) = (&deposit.proof, format!("0x{}", format!("{n:02x}").repeat(32)));
            before.execute(AssertSqlSafe(format!(
                "insert into deposits (deposit_id, network, proof, transaction_hash, payer, pay_to, asset, amount, block, block_time_ms, how, booked_ms)
                 values ('{n}', '{NETWORK}', '{proof}', '{hash}', '{payer}', '{SHOP}', '{}', '{}', 7, {NOON}, 'wrapped', {NOON})",
                deposit.asset, deposit.amount
            )))
            .await
            .unwrap();
        }
        drop(before);
        let opened = Books::open(&url).await.unwrap();
        let kept: Vec<_> = opened.deposits_after("", 10).await.unwrap().into_iter().map(|(_, deposit)| (deposit.payer, deposit.how)).collect();
        assert_eq!(kept, [(ADA, How::Wrapped), (BOB, How::Wrapped)]);
        opened.close().await;
    }
}
