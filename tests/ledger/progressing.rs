//! How far the work is: told by who has the run, kept through a crash, bounded, and deleted with what it is about.

use coinslot::{
    ledger::{Begun, Heard, Written},
    run::{Progress, RunState, STEPS_MAX, Step},
};

use crate::{
    books::{TestBooks, both_databases},
    people::*,
};

fn step(step: u32, words: &str) -> Step {
    Step::new(step, 3, words, NOON)
}

/// What is told to a listener who has seen up to `seq`: numbers, and words (`None`: it began again).
async fn told(books: &TestBooks, run: &str, seq: i64) -> Vec<(i64, Option<String>)> {
    let Heard { written, .. } = books.hear(run, seq).await.unwrap().unwrap();
    written.into_iter().map(|Written { seq, step }| (seq, step.map(|step| step.words))).collect()
}

fn some(words: &str) -> Option<String> {
    Some(words.to_owned())
}

both_databases! {
    async fn what_is_told_is_heard_in_order_and_from_where_one_was(books: &TestBooks) {
        let run = books.bought(ADA, 1).await;
        books.leased("a", NOON).await;
        assert_eq!(books.begin_progress(&run.id, "a", NOON).await.unwrap(), Begun::Anew);
        assert_eq!(books.hear(&run.id, 0).await.unwrap(), Some(Heard { state: RunState::Running, written: vec![] }));
        assert!(books.write_progress(&run.id, "a", 0, &[step(1, "one"), step(2, "two")]).await.unwrap());
        assert_eq!(told(books, &run.id, 0).await, [(1, some("one")), (2, some("two"))]);
        // The second changes, and a third comes.
        assert!(books.write_progress(&run.id, "a", 1, &[step(2, "two, nearly"), step(3, "three")]).await.unwrap());
        assert_eq!(told(books, &run.id, 2).await, [(3, some("two, nearly")), (4, some("three"))]);
        assert_eq!(told(books, &run.id, 4).await, []);
        let steps = vec![step(1, "one"), step(2, "two, nearly"), step(3, "three")];
        assert_eq!(books.progress(&run.id).await.unwrap(), Progress { again: false, steps });
        assert_eq!(books.hear("no such run", 0).await.unwrap(), None);
        books.assert_balanced().await;
    }

    /// Another instance, or this one after a crash, finds it in the database.
    async fn it_survives_a_crash_and_the_next_attempt_begins_visibly_anew(books: &TestBooks) {
        let run = books.bought(ADA, 1).await;
        books.leased("dies", NOON).await;
        assert!(books.write_progress(&run.id, "dies", 0, &[step(1, "one"), step(2, "two")]).await.unwrap());
        let second = books.another().await;
        assert_eq!(second.progress(&run.id).await.unwrap().steps.len(), 2);

        let later = NOON + LEASE;
        assert_eq!(second.leased("lives", later).await.attempts, 2);
        assert_eq!(second.begin_progress(&run.id, "lives", later).await.unwrap(), Begun::Again);
        assert_eq!(books.progress(&run.id).await.unwrap(), Progress { again: true, steps: vec![] });
        assert!(second.write_progress(&run.id, "lives", 0, &[step(1, "one again")]).await.unwrap());
        // Whoever saw the first attempt to its end, or a part of it, or nothing, is told the same.
        for seen in [0, 1, 2] {
            assert_eq!(told(books, &run.id, seen).await, [(3, None), (4, some("one again"))], "{seen}");
        }
        // A third time.
        second.leased("lives too", later + LEASE).await;
        assert_eq!(second.begin_progress(&run.id, "lives too", later).await.unwrap(), Begun::Again);
        assert_eq!(told(books, &run.id, 4).await, [(5, None)]);
        books.assert_balanced().await;
    }

    async fn who_lost_its_lease_tells_nothing(books: &TestBooks) {
        let run = books.bought(ADA, 1).await;
        books.leased("slow", NOON).await;
        assert!(books.write_progress(&run.id, "slow", 0, &[step(1, "one")]).await.unwrap());
        books.leased("fast", NOON + LEASE).await;
        assert!(!books.write_progress(&run.id, "slow", 1, &[step(2, "two")]).await.unwrap());
        assert_eq!(books.begin_progress(&run.id, "slow", NOON).await.unwrap(), Begun::NotOurs);
        assert_eq!(told(books, &run.id, 0).await, [(1, some("one"))]);
        assert!(books.capture(&run.id, "fast", "{}", "computed", NOON).await.unwrap());
        assert!(!books.write_progress(&run.id, "fast", 1, &[step(2, "two")]).await.unwrap(), "it has ended");
    }

    /// It is written by hundreds of runs at once, so their money must not wait for it, nor be touched by it.
    async fn telling_moves_no_money_and_no_lease(books: &TestBooks) {
        let run = books.bought(ADA, 1).await;
        books.leased("a", NOON).await;
        let before = books.now(&run).await;
        assert!(books.write_progress(&run.id, "a", 0, &[step(1, "one")]).await.unwrap());
        assert_eq!(books.now(&run).await, before);
        assert!(books.lease_run("b", NOON + LEASE, LEASE).await.unwrap().is_some(), "the lease ends when it would have ended");
    }

    async fn a_run_has_so_many_steps_and_no_more(books: &TestBooks) {
        let run = books.bought(ADA, 1).await;
        books.leased("a", NOON).await;
        let all: Vec<Step> = (1..=STEPS_MAX).map(|n| step(u32::try_from(n).unwrap(), "x")).collect();
        assert!(books.write_progress(&run.id, "a", 0, &all).await.unwrap());
        assert!(books.write_progress(&run.id, "a", STEPS_MAX - 1, &[step(100_000, "last")]).await.unwrap());
        assert!(books.write_progress(&run.id, "a", STEPS_MAX, &[step(1, "too far")]).await.is_err());
        let kept = books.progress(&run.id).await.unwrap().steps;
        assert_eq!((kept.len(), kept.last().unwrap().step), (STEPS_MAX, 100_000));
        books.assert_balanced().await;
    }

    async fn a_payer_sees_all_of_its_running_runs_and_nobody_elses(books: &TestBooks) {
        let (first, second, bobs) = (books.bought(ADA, 1).await, books.bought(ADA, 2).await, books.bought(BOB, 3).await);
        for (run, token) in [(&first, "a"), (&second, "b"), (&bobs, "c")] {
            assert_eq!(books.leased(token, NOON).await.id, run.id);
            assert!(books.write_progress(&run.id, token, 0, &[step(1, token)]).await.unwrap());
        }
        books.capture(&second.id, "b", "{}", "computed", NOON).await.unwrap();
        let of_ada = books.progress_of(ADA).await.unwrap();
        assert_eq!(of_ada.keys().collect::<Vec<_>>(), [&first.id]);
        assert_eq!(of_ada[&first.id].steps, [step(1, "a")]);
        assert_eq!(books.progress(&second.id).await.unwrap().steps, [step(1, "b")], "what was told stays with its run");
    }

    async fn e7_words_are_deleted_with_what_they_may_quote_and_the_accounts_stay(books: &TestBooks) {
        let run = books.bought(ADA, 1).await;
        books.leased("a", NOON).await;
        books.write_progress(&run.id, "a", 0, &[step(1, "reading 0x01")]).await.unwrap();
        assert!(!books.delete_content(&run.id).await.unwrap(), "the work still needs it");
        books.capture(&run.id, "a", r#"{"a":1}"#, "computed", NOON).await.unwrap();
        let before = books.now(&run).await;
        assert!(books.delete_content(&run.id).await.unwrap());
        let after = books.now(&run).await;
        assert_eq!(books.progress(&run.id).await.unwrap(), Progress::default());
        assert_eq!(after, coinslot::ledger::Run { input: None, output: None, ..before }, "and nothing else");
        assert!(books.delete_content(&run.id).await.unwrap(), "twice is once");
        assert!(!books.delete_content("no such run").await.unwrap());
        books.assert_balanced().await;
    }
}
