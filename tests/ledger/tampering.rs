//! The audit finds what a hand, a bug or a restored backup did to the books. Each statement is one thing that must not go unseen.

use coinslot::{
    error::Code,
    ledger::{Claimed, NewAuthorization},
};

use crate::{
    books::{TestBooks, both_databases},
    people::*,
};

/// One run in every state, credit, and a held price.
async fn some_books(books: &TestBooks) {
    let done = books.bought(ADA, 1).await;
    books.leased("a", NOON).await;
    books.capture(&done.id, "a", "{}", "computed", NOON).await.unwrap();
    let failed = books.bought(ADA, 2).await;
    books.leased("b", NOON).await;
    books.release(&failed.id, "b", &agent_failed(), NOON).await.unwrap();
    books.bought(BOB, 3).await;
    books.leased("c", NOON).await;
    books.bought(BOB, 4).await;
    let void = books.shown(&call(&payment(5))).await;
    books.void(&void.id, &too_low(), NOON).await.unwrap();
    books.shown(&call(&payment(6))).await;
    books.assert_balanced().await;
}

/// An authorization in every state, for a run in every state.
async fn some_authorizations(books: &TestBooks) {
    let end = NOON + 5 * MINUTE;
    let done = books.answered_for(ADA, 1, "a").await;
    assert!(books.settle(&done.id, &settlement(ADA, 1), NOON).await.unwrap());
    let unused = books.claimed(ADA, 2).await;
    books.leased("b", NOON).await;
    assert!(books.release(&unused.id, "b", &agent_failed(), NOON).await.unwrap());
    assert!(books.authorization_unused(&unused.id, end).await.unwrap());
    let credit = books.claimed(ADA, 3).await;
    books.leased("c", NOON).await;
    assert!(books.release(&credit.id, "c", &agent_failed(), NOON).await.unwrap());
    assert!(books.settle(&credit.id, &settlement(ADA, 3), NOON).await.unwrap());
    let void = books.answered_for(BOB, 4, "d").await;
    assert!(books.settlement_failed(&void.id, "d", &Code::SettlementFailed.into(), NOON).await.unwrap());
    let early = books.claimed(BOB, 5).await;
    books.leased("e", NOON).await;
    assert!(books.settle(&early.id, &settlement(BOB, 5), NOON).await.unwrap());
    assert!(books.answered(&early.id, "e", "{}", "computed", NOON).await.unwrap());
    books.answered_for(BOB, 6, "f").await;
    books.claimed(BOB, 7).await;
    let first = NewAuthorization { settle_first: true, ..signed() };
    assert!(matches!(books.claim(&signed_call(BOB, 8), &first, NOON).await.unwrap(), Claimed::New(_)));
    books.assert_balanced().await;
}

macro_rules! is_found {
    ($($name:ident: $sql:expr => $says:literal;)+) => { is_found! { some_books; $($name: $sql => $says;)+ } };
    ($some_books:ident; $($name:ident: $sql:expr => $says:literal;)+) => { both_databases! {$(
        async fn $name(books: &TestBooks) {
            $some_books(books).await;
            assert!(books.tamper($sql).await > 0, "it changes something");
            let audit = books.audit().await.unwrap();
            assert!(audit.findings.iter().any(|finding| finding.contains($says)), "{:#?}", audit.findings);
        }
    )+} };
}

is_found! {
    a_balance_made_larger_is_found:
        "update balances set amount = '900000000000000' where account like 'payer:0xad%'" => "but its entries come to";
    a_balance_made_negative_is_found: "update balances set amount = '-1' where account like 'payer:0xad%'" => "it is no amount";
    a_balance_deleted_is_found: "delete from balances where account like 'held:0xb0%'" => "has no balance";
    a_balance_out_of_nothing_is_found:
        "insert into balances (account, asset, amount, version) values ('payer:0xff', 'eip155:31337/native', '1', 1)"
        => "but its entries come to 0";
    an_entry_deleted_is_found: "delete from entries where account like 'revenue:%'" => "not zero";
    an_entry_changed_is_found: "update entries set amount = '100000000000001' where account like 'revenue:%'" => "not zero";
    an_entry_that_is_no_number_is_found: "update entries set amount = '1e18' where account like 'revenue:%'" => "have no sum";
    an_entry_moved_to_another_account_is_found:
        "update entries set account = 'payer:0xffffffffffffffffffffffffffffffffffffffff' where account like 'revenue:%'"
        => "not those of a capture";
    revenue_given_to_another_agent_is_found:
        "update entries set account = 'revenue:other' where account like 'revenue:%'" => "money of somebody else";
    an_event_deleted_is_found: "delete from entries where kind = 'capture'" => "its price was captured once";
    a_kind_changed_is_found: "update entries set kind = 'release' where kind = 'capture'" => "not those of a release";
    a_time_changed_in_one_line_is_found:
        "update entries set at_ms = at_ms + 1 where account like 'revenue:%'" => "differ in kind, time or purpose";
    a_deposit_deleted_is_found: "delete from deposits where proof like '%01'" => "it brought a deposit that is not there";
    a_deposit_out_of_nothing_is_found:
        "insert into deposits (deposit_id, network, proof, transaction_hash, payer, pay_to, asset, amount, block, block_time_ms, how,
                               booked_ms)
         values ('x', 'eip155:31337', 'tx/x', '0x', '0xff', '0x', 'eip155:31337/native', '1', 1, 1, 'hash', 1)"
        => "not booked to its payer exactly once";
    a_deposit_changed_is_found: "update deposits set amount = '5' where proof like '%01'" => "not booked to its payer exactly once";
    a_deposit_given_to_somebody_else_is_found:
        "update deposits set payer = '0xff' where proof like '%01'" => "not booked to its payer exactly once";
    a_held_run_made_done_is_found:
        "update runs set state = 'done', output = '{}', output_sha256 = '' where state = 'held'" => "its price was captured once";
    a_held_run_made_failed_is_found: "update runs set state = 'failed' where state = 'held'" => "its price went back";
    a_running_run_made_waiting_is_found:
        "update runs set state = 'waiting', asset = null, price = null, lease_token = null, lease_until_ms = null
         where state = 'running'" => "no price was ever held";
    a_waiting_run_made_held_is_found:
        "update runs set state = 'held', asset = 'eip155:31337/native', price = '1', held_ms = 1 where state = 'waiting'"
        => "its price is held";
    a_done_run_made_held_again_is_found: "update runs set state = 'held' where state = 'done'" => "its price is held";
    a_price_lowered_is_found: "update runs set price = '1' where state = 'done'" => "its price was captured once";
    a_price_deleted_is_found: "update runs set price = null, asset = null where state = 'failed'" => "its price went back";
    a_run_given_to_somebody_else_is_found:
        "update runs set payer = '0xffffffffffffffffffffffffffffffffffffffff' where state = 'done'" => "money of somebody else";
    a_run_deleted_is_found: "delete from runs where state = 'done'" => "it was for a run that is not there";
}

/// A run that is running and has told how far it is, and one that has ended.
async fn some_progress(books: &TestBooks) {
    let steps: Vec<_> = (1..=50).map(|n| coinslot::run::Step::new(n, 50, "words", NOON)).collect();
    for (n, token) in [(1, "a"), (2, "b")] {
        let run = books.bought(ADA, n).await;
        books.leased(token, NOON).await;
        assert!(books.write_progress(&run.id, token, 0, &steps).await.unwrap());
        if n == 1 {
            books.capture(&run.id, token, "{}", "computed", NOON).await.unwrap();
        }
    }
    books.assert_balanced().await;
}

is_found! { some_progress;
    progress_of_no_run_is_found: "update progress set run_id = 'nobody' where place < 10 and run_id = (select max(run_id) from runs)"
        => "which is not there";
    content_that_was_deleted_by_hand_is_found: "update runs set input = null, output = null where state = 'done'"
        => "but not what was said of its work";
    words_without_end_are_found: "update progress set words = words || '                                                              ' ||         '                                                                                                                          ' ||         '                                                                                                                          '"
        => "more was said of its work";
    steps_without_end_are_found:
        "insert into progress (run_id, place, seq, step, of_steps, words, at_ms)
         select run_id, place + 100, seq + 100, step, of_steps, words, at_ms from progress"
        => "more was said of its work";
}

is_found! {
    m10_a_changed_answer_is_found: "update runs set output = '{\"other\":1}' where state = 'done'" => "its answer is not what was sold";
    m10_an_answer_changed_by_one_space_is_found: "update runs set output = output || ' ' where state = 'done'" => "its answer is not what was sold";
    m10_an_answer_emptied_is_found: "update runs set output = '' where state = 'done'" => "its answer is not what was sold";
    m10_a_changed_hash_of_an_answer_is_found: "update runs set output_sha256 = input_sha256 where state = 'done'" => "its answer is not what was sold";
    m10_an_answer_put_where_none_was_is_found: "update runs set output = '{}' where state = 'failed'" => "but not its SHA-256";
    m10_a_changed_input_is_found: "update runs set input = '{}' where state = 'held'" => "its input is not what was asked";
}

is_found! { some_authorizations;
    m10_a_changed_answer_that_was_settled_for_is_found:
        "update runs set output = '{\"other\":1}' where state = 'done'" => "its answer is not what was sold";
    a_settlement_deleted_is_found: "delete from entries where kind = 'settle'" => "its price was captured once";
    a_settled_deposit_without_its_event_is_found:
        "delete from entries where kind = 'settle'" => "not booked to its payer exactly once";
    a_settlement_given_to_another_agent_is_found:
        "update entries set account = 'revenue:other' where kind = 'settle' and account like 'revenue:%'" => "money of somebody else";
    a_settlement_turned_into_a_deposit_is_found:
        "update entries set kind = 'deposit' where kind = 'settle'" => "not those of a deposit";
    a_deposit_turned_into_a_settlement_is_found:
        "update entries set kind = 'settle' where kind = 'deposit'" => "not those of a settle";
    a_settlement_moved_to_another_run_is_found:
        "update entries set run_id = (select run_id from runs where proof like '%03') where kind = 'settle'"
        => "not booked to its payer exactly once";
    a_settlement_that_was_not_all_is_found:
        "update entries set amount = case when account like 'chain:%' then '-5' else '5' end where kind = 'settle'"
        => "its price was captured once";
    a_settled_deposit_deleted_is_found: "delete from deposits where proof like '%01'" => "it is settled, but its deposit is not there";
    an_open_one_made_settled_is_found:
        "update authorizations set state = 'settled' where state = 'open'" => "it is settled, but its deposit is not there";
    a_settled_one_made_open_is_found:
        "update authorizations set state = 'open' where state = 'settled'" => "it is not settled, but its deposit is there";
    an_answer_given_away_unpaid_is_found:
        "update runs set state = 'done', output = '{}', output_sha256 = '' where proof like '%06'" => "its authorization is settled";
    a_price_held_for_an_unsettled_one_is_found:
        "insert into entries (event_id, account, asset, amount, kind, at_ms, run_id)
         select 'x', 'held:' || payer, asset, price, 'hold', 1, run_id from runs where state = 'held'"
        => "nothing moved for its authorization";
    a_failed_one_that_lost_its_price_is_found:
        "update runs set price = null, asset = null where proof like '%02'" => "nothing moved for its authorization";
    an_authorization_deleted_is_found: "delete from authorizations where state = 'open'" => "the authorization that pays it is not there";
    an_authorization_without_a_run_is_found: "delete from runs where state = 'void'" => "its run is not there";
    an_amount_raised_before_it_is_settled_is_found:
        "update authorizations set amount = '5' where state = 'open'" => "its run has another price";
    an_amount_raised_after_it_was_settled_is_found:
        "update authorizations set amount = '5' where state = 'settled'" => "its deposit is not what was signed";
    another_recipient_is_found:
        "update authorizations set pay_to = '0xff' where state = 'settled'" => "its deposit is not what was signed";
    an_authorization_given_to_somebody_else_is_found:
        "update authorizations set payer = '0xff' where state = 'open'" => "its run is somebody else's";
    one_given_up_too_early_is_found:
        "update authorizations set state = 'unused' where state = 'open'" => "it was given up, but its run waits for it";
    one_to_be_settled_first_that_was_not_is_found:
        "update authorizations set settle_first = 1 where state = 'open'" => "it is to be settled first, but its run went on";
    one_to_be_settled_later_whose_run_waits_is_found:
        "update authorizations set settle_first = 0" => "it is to be settled after the work, but its run waits";
    an_answer_kept_too_long_is_found:
        "update authorizations set answer = '{}', engine = 'computed' where state = 'settled'" => "an answer is withheld";
}

both_databases! {
    /// What was deleted has nothing to compare; its hash stays.
    async fn m10_content_that_was_deleted_is_no_finding(books: &TestBooks) {
        let done = books.bought(ADA, 1).await;
        books.leased("a", NOON).await;
        books.capture(&done.id, "a", "{}", "computed", NOON).await.unwrap();
        assert!(books.delete_content(&done.id).await.unwrap());
        books.assert_balanced().await;
    }

    async fn an_audit_counts_what_it_read(books: &TestBooks) {
        assert_eq!(books.audit().await.unwrap(), Default::default());
        some_books(books).await;
        let audit = books.audit().await.unwrap();
        assert_eq!((audit.deposits, audit.runs, audit.entries), (4, 6, 2 * (4 + 4 + 2)));
        assert_eq!(books.audit().await.unwrap(), audit, "reading changes nothing");
    }

    async fn books_that_are_broken_everywhere_are_told_in_bounds(books: &TestBooks) {
        books.tamper(
            "insert into balances (account, asset, amount, version)
             with recursive n (i) as (select 1 union all select i + 1 from n where i < 1500)
             select 'payer:' || cast(i as text), 'eip155:31337/native', '1', 1 from n",
        )
        .await;
        let findings = books.audit().await.unwrap().findings;
        assert_eq!((findings.len(), findings[1000].as_str()), (1001, "… and 500 more"));
    }
}
