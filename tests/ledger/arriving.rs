//! Coin that arrives inside somebody else's transaction: the payer is part of what makes a payment the same one, and what a recipient has is explained
//! once.

use coinslot::{
    ledger::{Account, Books, Deposit, How, Rise, RiseState, Standing},
    money::Amount,
    run::RunState,
};
use sqlx::{ConnectOptions, Connection, Executor, any::AnyConnectOptions, migrate::Migrator};

use crate::{books::both_databases, people::*};

fn stands(height: u64, balance: &str, nonce: u64) -> Standing {
    Standing { height, hash: [height as u8; 32], balance: mon(balance), nonce }
}

fn inside(payer: coinslot::evm::Address, n: u64, amount: &str) -> Deposit {
    Deposit { how: How::Found, ..arrived(payer, &payment(n), amount) }
}

fn account(deposits: Vec<Deposit>, rest: Option<(RiseState, &str)>) -> Account {
    Account { deposits, left: Amount::ZERO, rest: rest.map(|(state, amount)| (state, mon(amount))) }
}

async fn only_rise(books: &Books, state: RiseState) -> Rise {
    let mut rises = books.rises(NETWORK, state, 10).await.unwrap();
    assert_eq!(rises.len(), 1, "{rises:#?}");
    rises.remove(0)
}

both_databases! {
    async fn p1_one_transaction_of_two_payers_is_two_deposits(books: &TestBooks) {
        let (ada, bob) = (books.shown(&by(ADA, &payment(1))).await, books.shown(&by(BOB, &payment(1))).await);
        books.pays(ADA, &payment(1), "0.0001").await;
        books.pays(BOB, &payment(1), "0.0002").await;
        assert!(!books.deposit(&arrived(ADA, &payment(1), "0.0001"), NOON).await.unwrap(), "once for each");
        assert_eq!((books.credit_of(ADA).await, books.credit_of(BOB).await), (mon("0.0001"), mon("0.0002")));
        let payers: Vec<_> = books.deposits_of(NETWORK, &payment(1)).await.unwrap().iter().map(|one| one.payer).collect();
        assert_eq!(payers, [ADA, BOB]);
        // Each pays its own run, and no other.
        for run in [ada, bob] {
            assert_eq!(books.held(&run, "0.0001").await.state, RunState::Held);
        }
        assert_eq!(books.credit_of(ADA).await, Amount::ZERO);
        books.assert_balanced().await;
    }

    async fn p1_a_block_of_several_payers_is_booked_once_by_many_at_once(books: &TestBooks) {
        books.open_explained(NETWORK, SHOP, &stands(6, "1", 0)).await.unwrap();
        let second = books.another().await;
        let told = futures::future::join_all((0..12).map(|n| {
            let books = if n % 2 == 0 { (**books).clone() } else { second.clone() };
            tokio::spawn(async move {
                let deposits = vec![inside(BOB, 1, "0.2"), inside(ADA, 1, "0.1"), inside(ADA, 2, "0.3")];
                let both = (&stands(6, "1", 0), &stands(7, "1.6", 0));
                match n % 3 {
                    0 => books.deposit(&deposits[1], NOON).await.map(|_| None),
                    _ => books.explain(NETWORK, SHOP, both, &account(deposits, None), NOON).await,
                }
            })
        }))
        .await;
        let stored = told.into_iter().filter(|told| matches!(told, Ok(Ok(Some(_))))).count();
        assert_eq!(stored, 1, "one of them explains the block");
        assert_eq!((books.credit_of(ADA).await, books.credit_of(BOB).await), (mon("0.4"), mon("0.2")));
        let explained = books.explained(NETWORK, SHOP).await.unwrap().unwrap();
        assert_eq!((explained.opened, explained.at), ((6, mon("1")), stands(7, "1.6", 0)));
        books.assert_balanced().await;
    }

    async fn p2_what_explains_a_block_and_that_it_is_explained_are_one(books: &TestBooks) {
        books.open_explained(NETWORK, SHOP, &stands(6, "1", 0)).await.unwrap();
        books.open_explained(NETWORK, SHOP, &stands(99, "9", 9)).await.unwrap();
        let (before, after) = (stands(6, "1", 0), stands(7, "0.7", 1));
        let left = Account { left: mon("0.5"), ..account(vec![inside(ADA, 1, "0.2")], None) };
        let new = books.explain(NETWORK, SHOP, (&before, &after), &left, NOON).await.unwrap();
        assert_eq!(new.unwrap().len(), 1);
        // From where somebody else has gone on: nothing is written.
        let late = account(vec![inside(BOB, 2, "0.3")], Some((RiseState::Open, "0.1")));
        assert_eq!(books.explain(NETWORK, SHOP, (&before, &after), &late, NOON).await.unwrap(), None);
        assert_eq!(books.credit_of(BOB).await, Amount::ZERO);
        assert!(books.open_rises(NETWORK, 10).await.unwrap().is_empty());
        let explained = books.explained(NETWORK, SHOP).await.unwrap().unwrap();
        assert_eq!((explained.opened, explained.at, explained.left), ((6, mon("1")), after, mon("0.5")));
        assert_eq!(books.explained(NETWORK, BOB).await.unwrap(), None, "each recipient by itself");
        assert!(books.explain(OTHER_NETWORK, SHOP, (&after, &stands(8, "1", 1)), &late, NOON).await.is_err());
        books.assert_balanced().await;
    }

    async fn p3_what_nobody_can_tell_is_written_down_once_and_explained_once(books: &TestBooks) {
        books.open_explained(NETWORK, SHOP, &stands(6, "1", 0)).await.unwrap();
        let (before, after) = (stands(6, "1", 0), stands(7, "1.3", 0));
        books.note_rise(NETWORK, SHOP, (&before, &after), Amount::ZERO, mon("0.3"), NOON).await.unwrap();
        books.explain(NETWORK, SHOP, (&before, &after), &account(vec![], Some((RiseState::Open, "0.3"))), NOON).await.unwrap();
        let rise = only_rise(books, RiseState::Open).await;
        assert_eq!((rise.amount, rise.blocks(), rise.after), (mon("0.3"), "block 7".to_owned(), after));
        assert_eq!(books.unbooked(NETWORK, SHOP, 6).await.unwrap(), mon("0.3"));
        assert_eq!(books.unbooked(NETWORK, SHOP, 7).await.unwrap(), Amount::ZERO, "of before the first look");
        // A node traces: most of it has its payers, and the rest came by no call.
        let found = account(vec![inside(ADA, 1, "0.2")], Some((RiseState::Nobody, "0.1")));
        assert_eq!(books.explain_rise(&rise, &found, NOON).await.unwrap().unwrap().len(), 1);
        assert_eq!(books.explain_rise(&rise, &found, NOON).await.unwrap(), None, "once");
        assert_eq!(only_rise(books, RiseState::Nobody).await.amount, mon("0.1"));
        assert_eq!(books.unbooked(NETWORK, SHOP, 6).await.unwrap(), mon("0.1"));
        assert_eq!(books.credit_of(ADA).await, mon("0.2"));
        books.assert_balanced().await;
    }

    async fn p3_a_hand_credits_once_and_it_is_recorded_who_did(books: &TestBooks) {
        books.open_explained(NETWORK, SHOP, &stands(6, "1", 0)).await.unwrap();
        let run = books.shown(&call(&payment(1))).await;
        let both = (&stands(6, "1", 0), &stands(7, "1.3", 0));
        books.explain(NETWORK, SHOP, both, &account(vec![], Some((RiseState::Open, "0.3"))), NOON).await.unwrap();
        let by_hand = Deposit { how: How::Hand, ..arrived(ADA, &payment(1), "0.2") };
        assert!(books.credit_by_hand(&arrived(ADA, &payment(1), "0.2"), "alice", NOON).await.is_err());
        assert!(books.credit_by_hand(&by_hand, "alice", NOON).await.unwrap());
        assert!(!books.credit_by_hand(&by_hand, "mallory", NOON).await.unwrap(), "once");
        assert!(!books.deposit(&inside(ADA, 1, "0.2"), NOON).await.unwrap(), "and by nobody else again");
        assert_eq!(books.hand_credits().await.unwrap(), [(by_hand, "alice".to_owned())]);
        assert_eq!(only_rise(books, RiseState::Open).await.amount, mon("0.1"));
        let rest = Deposit { how: How::Hand, ..arrived(BOB, &payment(1), "0.1") };
        assert!(books.credit_by_hand(&rest, "alice", NOON).await.unwrap());
        assert_eq!(only_rise(books, RiseState::Booked).await.amount, Amount::ZERO);
        assert_eq!(books.held(&run, "0.0001").await.state, RunState::Held);
        books.assert_balanced().await;
    }

    async fn p3_tokens_that_were_bundled_are_credited_by_hand_once(books: &TestBooks) {
        let proof = format!("transfer/{TOKEN}/{}", payment(1).trim_start_matches("tx/"));
        let by_hand = Deposit { how: How::Hand, asset: dollar(), amount: usd("0.002"), ..arrived(ADA, &proof, "0") };
        assert!(books.deposit(&Deposit { how: How::Found, ..by_hand.clone() }, NOON).await.is_err(), "only a hand says so");
        assert!(!books.has_open_authorization(ADA, &dollar()).await.unwrap());
        assert!(books.credit_by_hand(&by_hand, "alice", NOON).await.unwrap());
        assert!(!books.credit_by_hand(&by_hand, "alice", NOON).await.unwrap());
        assert_eq!(books.dollars_of(ADA).await, usd("0.002"));
        books.claimed(ADA, 9).await;
        assert!(books.has_open_authorization(ADA, &dollar()).await.unwrap());
        books.assert_balanced().await;
    }

    async fn p3_a_contracts_credit_is_moved_by_hand_once_for_each_payer(books: &TestBooks) {
        let contract = coinslot::evm::Address([0xc0; 20]);
        let of = inside(contract, 1, "0.3");
        assert!(books.deposit(&of, NOON).await.unwrap());
        assert!(books.move_by_hand(&of, ADA, mon("0.1"), "alice", NOON).await.unwrap());
        assert!(!books.move_by_hand(&of, ADA, mon("0.1"), "alice", NOON).await.unwrap(), "once");
        assert!(!books.move_by_hand(&of, BOB, mon("0.3"), "alice", NOON).await.unwrap(), "no more than there is");
        assert!(books.move_by_hand(&of, BOB, mon("0.2"), "alice", NOON).await.unwrap());
        assert!(books.move_by_hand(&of, contract, mon("0.1"), "alice", NOON).await.is_err());
        assert!(books.move_by_hand(&inside(BOB, 9, "1"), ADA, mon("1"), "alice", NOON).await.is_err());
        let credit = (books.credit_of(contract).await, books.credit_of(ADA).await, books.credit_of(BOB).await);
        assert_eq!(credit, (Amount::ZERO, mon("0.1"), mon("0.2")));
        assert_eq!(books.hand_credits().await.unwrap().len(), 2);
        assert_eq!(books.statement(ADA, None, 10).await.unwrap().len(), 1);
        books.assert_balanced().await;
        books.tamper("delete from hand_credits").await;
        let findings = books.audit().await.unwrap().findings;
        assert!(findings.iter().all(|finding| finding.contains("nobody said so")) && findings.len() == 2, "{findings:#?}");
    }

    async fn p3_a_run_says_that_its_payment_arrived_until_it_is_held(books: &TestBooks) {
        use coinslot::error::{CallError, Code};
        let run = books.shown(&call(&payment(1))).await;
        let why = CallError::from(Code::PayerUnknown);
        books.note_unattributed(NETWORK, &payment(1), &why).await.unwrap();
        assert_eq!(books.now(&run).await.error, Some(why));
        assert_eq!(books.shown(&call(&payment(1))).await.state, RunState::Waiting);
        books.pays(ADA, &payment(1), "0.0001").await;
        assert_eq!(books.held(&run, "0.0001").await.error, None);
        books.assert_balanced().await;
    }

    async fn m2_every_recipient_is_remembered(books: &TestBooks) {
        books.note_recipient(SHOP).await.unwrap();
        books.note_recipient(SHOP).await.unwrap();
        let moved = coinslot::evm::Address([0x51; 20]);
        books.deposit(&Deposit { pay_to: moved, ..arrived(ADA, &payment(1), "1") }, NOON).await.unwrap();
        assert_eq!(books.recipients().await.unwrap(), [SHOP]);
        books.learn_recipients().await.unwrap();
        assert_eq!(books.recipients().await.unwrap(), [SHOP, moved]);
        assert!(books.meet_network(NETWORK, "00").await.unwrap());
        assert_eq!(books.recipients().await.unwrap().len(), 2, "other facts are none");
    }

    /// A shop that was opened before opens, and nothing of its books is another.
    async fn p1_books_of_before_open_and_keep_every_row(books: &TestBooks) {
        let url = books.empty_neighbour().await;
        let first = tempfile::tempdir().unwrap();
        std::fs::copy(format!("{}/migrations/1_books.sql", env!("CARGO_MANIFEST_DIR")), first.path().join("1_books.sql")).unwrap();
        sqlx::any::install_default_drivers();
        let make = if url.starts_with("sqlite") { format!("{url}?mode=rwc") } else { url.clone() };
        let mut old = make.parse::<AnyConnectOptions>().unwrap().connect().await.unwrap();
        if url.starts_with("sqlite") {
            old.execute("pragma foreign_keys = on").await.unwrap();
        }
        Migrator::new(first.path()).await.unwrap().run(&mut old).await.unwrap();
        let hash = payment(1).trim_start_matches("tx/").to_owned();
        let rows = format!(
            "insert into deposits (deposit_id, network, proof, transaction_hash, payer, pay_to, asset, amount, block, block_time_ms, how, booked_ms)
                 values ('d1', '{NETWORK}', 'tx/{hash}', '{hash}', '{ADA}', '{SHOP}', '{NETWORK}/native', '500', 7, {NOON}, 'hash', {NOON});
             insert into balances (account, asset, amount, version) values ('payer:{ADA}', '{NETWORK}/native', '500', 3);
             insert into entries (event_id, account, asset, amount, kind, at_ms, deposit_id, run_id) values
                 ('e1', 'chain:{NETWORK}', '{NETWORK}/native', '-500', 'deposit', {NOON}, 'd1', null),
                 ('e1', 'payer:{ADA}', '{NETWORK}/native', '500', 'deposit', {NOON}, 'd1', null);"
        );
        old.execute(sqlx::AssertSqlSafe(rows)).await.unwrap();
        old.close().await.unwrap();
        let books = Books::open(&url).await.unwrap();
        let [(id, deposit)] = &books.deposits_after("", 10).await.unwrap()[..] else { panic!("one deposit") };
        assert_eq!((id.as_str(), deposit.payer, deposit.amount), ("d1", ADA, Amount::from_atomic(500)));
        assert_eq!(books.audit().await.unwrap().findings, Vec::<String>::new());
        // The race for a payment still ends at the constraint, and what points to a deposit still does.
        assert!(!books.deposit(&arrived(ADA, &payment(1), "1"), NOON).await.unwrap());
        assert!(books.deposit(&arrived(BOB, &payment(1), "1"), NOON).await.unwrap());
        assert!(books.deposit(&arrived(ADA, &payment(2), "1"), NOON).await.unwrap());
        assert_eq!(books.audit().await.unwrap().findings, Vec::<String>::new());
        books.close().await;
        let mut raw = url.parse::<AnyConnectOptions>().unwrap().connect().await.unwrap();
        if url.starts_with("sqlite") {
            raw.execute("pragma foreign_keys = on").await.unwrap();
        }
        assert!(raw.execute("delete from deposits").await.is_err(), "its entries point to it");
        raw.close().await.unwrap();
        Books::open(&url).await.unwrap().close().await;
    }
}
