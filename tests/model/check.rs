//! What `coinslot check` says of the model.

use coinslot::server::{
    check::{self, State},
    settings::{Settings, Sources},
};

use crate::script::{KEY, NAME, Play, Script, says};

async fn said(more: &[(&str, &str)]) -> (State, String) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let env = [
        ("COINSLOT_DATA", data.as_str()),
        ("COINSLOT_NETWORKS", "local"),
        ("COINSLOT_NETWORK__LOCAL__RPC_URLS", "http://127.0.0.1:1"),
    ];
    let env = env.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let settings = Settings::read(&Sources { env, ..Sources::default() }).unwrap();
    let lines = check::check(&settings, &[]).await;
    let line = lines.into_iter().find(|line| line.subject == "model").unwrap();
    (line.state, line.sentence)
}

async fn said_of(url: &str) -> (State, String) {
    said(&[("COINSLOT_MODEL_URL", url), ("COINSLOT_MODEL_NAME", NAME), ("COINSLOT_MODEL_KEY", KEY)]).await
}

#[tokio::test]
async fn a_shop_without_a_model_is_told_what_it_misses() {
    let (state, sentence) = said(&[]).await;
    assert!(state == State::Todo && sentence.contains("set COINSLOT_MODEL_URL"), "{sentence}");
}

#[tokio::test]
async fn whether_the_model_answers_is_asked_of_it_and_never_told_with_its_key() {
    for (play, state, words) in [
        (says("ready"), State::Ok, "answers, after"),
        (Play::Status(401, None, KEY), State::Bad, "correct model_key"),
        (Play::Status(404, None, "{}"), State::Bad, "correct model_url or model_name"),
        (says(""), State::Bad, "said nothing"),
    ] {
        let script = Script::of([play]).await;
        let (told, sentence) = said_of(script.settings().url.as_str()).await;
        assert!(told == state && sentence.contains(words) && sentence.contains(NAME), "{told:?} {sentence}");
        assert!(!sentence.contains(KEY), "{sentence}");
        assert_eq!(script.asked().len(), 1);
    }
    let (state, sentence) = said_of("http://127.0.0.1:1").await;
    assert!(state == State::Bad && sentence.contains("cannot be reached; start it"), "{sentence}");
}
