//! What failed for good is remembered in memory, so that who has not paid is told of it without a look at the database.

use coinslot::{
    error::{CallError, Retry},
    ledger::{Books, NewRun},
    money::Asset,
};

use crate::{
    books::{TestBooks, both_databases},
    people::*,
};

/// What this process remembers of the input: networks, sentences, ends.
fn remembered(books: &Books, input: &str, now_ms: i64) -> Vec<(String, String, i64)> {
    let known = books.remembered_failures(XRAY, "1", &sha256(input), now_ms);
    known.into_iter().map(|failure| (failure.network, failure.error.error, failure.until_ms)).collect()
}

/// A run of this input that its agent fails on for good, on this network.
async fn fails(books: &TestBooks, n: u64, network: &str, why: &str, at_ms: i64) -> String {
    let asset = Asset::native(network);
    let run = books.shown(&NewRun { network: network.into(), terms: None, ..by(ADA, &payment(n)) }).await;
    let deposit =
        coinslot::ledger::Deposit { network: network.into(), asset: asset.clone(), ..arrived(ADA, &payment(n), "0.0001") };
    assert!(books.deposit(&deposit, at_ms).await.unwrap());
    books.hold(&run.id, &asset, mon("0.0001"), at_ms).await.unwrap();
    books.leased("w", at_ms).await;
    let why = CallError { retry: Retry::No, ..CallError::agent_failed(why) };
    assert!(books.release(&run.id, "w", &why, at_ms).await.unwrap());
    why.error
}

both_databases! {
    async fn s5_a_final_failure_is_remembered_at_once_here_and_with_the_next_read_elsewhere(books: &TestBooks) {
        let other = books.another().await;
        assert!(!books.remembers_failures() && !other.remembers_failures());
        other.read_failures(NOON).await.unwrap();
        let first = fails(books, 1, NETWORK, "no code there.", NOON).await;
        let here = (NETWORK.to_owned(), first, NOON + HOUR);
        let one = std::slice::from_ref(&here);
        assert_eq!(remembered(books, INPUT, NOON), one);
        assert_eq!((remembered(books, "{}", NOON), books.remembered_failures(XRAY, "2", &sha256(INPUT), NOON)), (vec![], vec![]));
        // The other one's clock is two minutes ahead.
        assert_eq!(remembered(&other, INPUT, NOON), []);
        other.read_failures(NOON + 2 * MINUTE).await.unwrap();
        assert_eq!(remembered(&other, INPUT, NOON), one);
        // On each network the newest, the newest first; as the books themselves say it.
        let there = (OTHER_NETWORK.to_owned(), fails(books, 2, OTHER_NETWORK, "none there.", NOON + MINUTE).await, NOON + HOUR + MINUTE);
        let again = (NETWORK.to_owned(), fails(books, 3, NETWORK, "still none.", NOON + 3 * MINUTE).await, NOON + HOUR + 3 * MINUTE);
        other.read_failures(NOON + 3 * MINUTE).await.unwrap();
        let begun_late = books.another().await;
        begun_late.read_failures(NOON + 59 * MINUTE).await.unwrap();
        for all in [&**books, &other, &begun_late] {
            assert_eq!(remembered(all, INPUT, NOON + 3 * MINUTE), [again.clone(), there.clone()]);
            assert_eq!(remembered(all, INPUT, NOON + HOUR + MINUTE), std::slice::from_ref(&again));
            assert_eq!(remembered(all, INPUT, NOON + HOUR + 3 * MINUTE), []);
        }
        let written = books.known_failures(XRAY, "1", &sha256(INPUT), NOON + 3 * MINUTE).await.unwrap();
        assert_eq!(written.len(), 2);
        // What has ended takes no room.
        other.read_failures(NOON + 2 * HOUR).await.unwrap();
        assert!(!other.remembers_failures());
        for all in [other, begun_late] {
            all.close().await;
        }
    }

    async fn s5_what_is_remembered_stands_while_the_database_is_away(books: &TestBooks) {
        let other = books.another().await;
        let why = fails(books, 1, NETWORK, "no code there.", NOON).await;
        other.read_failures(NOON).await.unwrap();
        other.close().await;
        assert!(other.read_failures(NOON + MINUTE).await.is_err());
        assert_eq!(remembered(&other, INPUT, NOON + MINUTE), [(NETWORK.to_owned(), why, NOON + HOUR)]);
    }

    /// A row that cannot be read hides no other one.
    async fn s5_a_run_that_breaks_or_cannot_be_read_is_no_failure_of_its_input(books: &TestBooks) {
        fails(books, 1, NETWORK, "no code there.", NOON).await;
        let run = books.bought(BOB, 2).await;
        books.leased("b", NOON).await;
        let for_good = CallError { retry: Retry::No, ..agent_failed() };
        assert!(books.give_up_run(&run.id, "b", &for_good, NOON + MINUTE).await.unwrap());
        let of_one = remembered(books, INPUT, NOON);
        assert_eq!((of_one.len(), of_one[0].2), (1, NOON + HOUR), "{of_one:?}");
        let other = books.another().await;
        fails(books, 3, OTHER_NETWORK, "none there.", NOON).await;
        books.tamper(&format!("update runs set error = 'no JSON' where network = '{OTHER_NETWORK}'")).await;
        assert!(other.read_failures(NOON).await.is_err());
        assert_eq!(remembered(&other, INPUT, NOON).len(), 1);
        other.close().await;
    }
}
