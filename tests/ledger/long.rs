//! Authorizations that are good for longer than anybody waits (M4).

use coinslot::{
    ledger::{AuthorizationState, Claimed, NewAuthorization},
    run::RunState,
};

use crate::{books::both_databases, people::*};

/// To the last moment that the books can name.
fn for_ever() -> NewAuthorization {
    NewAuthorization { valid_before_ms: i64::MAX, ..signed() }
}

/// A run that it pays, and that has failed.
async fn failed(books: &crate::books::TestBooks, authorization: &NewAuthorization) -> String {
    let Claimed::New(run) = books.claim(&signed_call(ADA, 1), authorization, NOON).await.unwrap() else { panic!("it is new") };
    let leased = books.lease_run("token", NOON, MINUTE).await.unwrap().expect("it is held");
    let coinslot::ledger::Leased::Work { run: leased, token } = leased else { panic!("there is work") };
    assert_eq!(leased.id, run.id);
    assert!(books.release(&run.id, &token, &agent_failed(), NOON).await.unwrap());
    assert_eq!(books.run(&run.id).await.unwrap().unwrap().state, RunState::Failed);
    run.id
}

both_databases! {
    async fn m4_an_authorization_for_years_is_looked_at_within_the_hour_and_again(books: &TestBooks) {
        let run = failed(books, &for_ever()).await;
        let due = async |at_ms| books.unsettled(NETWORK, at_ms).await.unwrap().len();
        assert_eq!((due(NOON + HOUR - 1).await, due(NOON + HOUR).await), (0, 1));
        // Nobody had sent it up to block 90: what becomes of it is above.
        books.look_later(&run, Some(90), NOON + HOUR).await.unwrap();
        assert_eq!((due(NOON + 2 * HOUR - 1).await, due(NOON + 2 * HOUR).await), (0, 1));
        let since = books.run(&run).await.unwrap().unwrap().authorization.unwrap().since_block;
        assert_eq!(since, 90);
        // No node could tell: what is searched does not shrink. After its first day it is looked at daily.
        books.look_later(&run, None, NOON + 2 * DAY).await.unwrap();
        assert_eq!((due(NOON + 3 * DAY - 1).await, due(NOON + 3 * DAY).await), (0, 1));
        assert_eq!(books.run(&run).await.unwrap().unwrap().authorization.unwrap().since_block, 90);
        // Somebody sends it years later: its payer's credit, and no more looks.
        assert!(books.settle(&run, &settlement(ADA, 1), NOON + 400 * DAY).await.unwrap());
        assert_eq!(due(i64::MAX).await, 0);
        assert_eq!(books.balances(ADA).await.unwrap(), [(dollar(), usd("0.001"))]);
        books.look_later(&run, Some(99), NOON + 401 * DAY).await.unwrap();
        let paid = books.run(&run).await.unwrap().unwrap().authorization.unwrap();
        assert_eq!((paid.state, paid.since_block), (AuthorizationState::Settled, 90));
        books.assert_balanced().await;
    }

    async fn m4_one_that_ends_sooner_is_looked_at_when_it_ends(books: &TestBooks) {
        failed(books, &signed()).await;
        let due = async |at_ms| books.unsettled(NETWORK, at_ms).await.unwrap().len();
        assert_eq!((due(NOON + 5 * MINUTE - 1).await, due(NOON + 5 * MINUTE).await), (0, 1));
    }

    /// Rows of before have no time to be looked at but their end.
    async fn m4_rows_of_an_older_version_are_looked_at_when_they_end(books: &TestBooks) {
        failed(books, &signed()).await;
        assert_eq!(books.tamper("update authorizations set look_ms = null").await, 1);
        let due = async |at_ms| books.unsettled(NETWORK, at_ms).await.unwrap().len();
        assert_eq!((due(NOON + 5 * MINUTE - 1).await, due(NOON + 5 * MINUTE).await), (0, 1));
    }
}
