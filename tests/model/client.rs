//! The client, against everything that a server may do.

use std::time::{Duration, Instant};

use coinslot::model::{Ask, Call, Ended, Form, Message, ModelError, Tool};
use serde_json::json;

use crate::script::{KEY, NAME, Play, Script, delta, nobody, says, says_in_pieces, the_end};

fn question(streamed: bool) -> Ask {
    Ask {
        messages: vec![Message::System("Be brief.".into()), Message::User("What is it?".into())],
        tools: Vec::new(),
        form: None,
        tokens_max: 100,
        within: Duration::from_secs(10),
        streamed,
    }
}

#[tokio::test]
async fn an_answer_comes_whole_with_the_key_shown_to_its_server_alone() {
    let script = Script::of([says("A token.")]).await;
    let model = script.model();
    let answer = model.ask(&question(false)).await.unwrap();
    assert_eq!((answer.text.as_str(), answer.ended, answer.usage.total()), ("A token.", Ended::Whole, 110));
    let asked = &script.asked()[0];
    assert_eq!(asked.authorization.as_deref(), Some(format!("Bearer {KEY}").as_str()));
    let messages = json!([{ "role": "system", "content": "Be brief." }, { "role": "user", "content": "What is it?" }]);
    assert_eq!(asked.body, json!({ "model": NAME, "stream": false, "max_tokens": 100, "temperature": 0, "messages": messages }));
    assert!(!format!("{model:?} {:?}", script.settings()).contains(KEY));
}

#[tokio::test]
async fn an_answer_comes_in_pieces_words_and_calls() {
    let mut pieces = vec![delta(json!({ "role": "assistant", "content": "Let me " })), delta(json!({ "content": "look." }))];
    pieces.push(delta(json!({ "tool_calls": [{ "index": 0, "id": "a", "function": { "name": "look", "arguments": "" } }] })));
    pieces.push(delta(json!({ "tool_calls": [{ "index": 0, "function": { "arguments": "{\"at\":" } }] })));
    pieces.push(delta(json!({ "tool_calls": [{ "index": 0, "function": { "arguments": "1}" } }] })));
    pieces.extend(the_end("tool_calls"));
    let script = Script::of([Play::Pieces(pieces)]).await;
    let tool = Tool { name: "look".into(), description: "Looks.".into(), parameters: json!({ "type": "object" }) };
    let answer = script.model().ask(&Ask { tools: vec![tool], ..question(true) }).await.unwrap();
    assert_eq!(answer.text, "Let me look.");
    assert_eq!(answer.calls, [Call { id: "a".into(), name: "look".into(), arguments: "{\"at\":1}".into() }]);
    assert_eq!(answer.usage.total(), 110);
    let body = &script.asked()[0].body;
    assert_eq!((&body["stream"], &body["tools"][0]["function"]["name"]), (&json!(true), &json!("look")));
}

#[tokio::test]
async fn what_was_not_begun_is_asked_again_and_what_may_have_cost_something_is_not() {
    let script = Script::of([Play::Status(429, Some("0"), "{}"), Play::Status(503, Some("0"), "{}"), says("Here.")]).await;
    assert_eq!(script.model().ask(&question(false)).await.unwrap().text, "Here.");
    assert_eq!(script.asked().len(), 3);

    for (play, fault) in [
        (Play::Status(500, None, "{}"), ModelError::Broken(500)),
        (Play::Status(401, None, KEY), ModelError::Refused(401)),
        (Play::Status(404, None, "{}"), ModelError::Refused(404)),
        (Play::Status(400, None, "too many words"), ModelError::Refused(400)),
        (Play::Status(307, None, "{}"), ModelError::Refused(307)),
        (Play::Text("<html>".into()), ModelError::Garbled),
        (Play::Text(r#"{"choices":[]}"#.into()), ModelError::CutOff),
        (says(" "), ModelError::Empty),
        (Play::Broken("application/json", r#"{"choices":[{"mess"#.into()), ModelError::CutOff),
        (Play::Broken("text/event-stream", format!("data: {}\n\n", delta(json!({ "content": "The ow" })))), ModelError::CutOff),
        (Play::Pieces(vec![delta(json!({ "content": "The ow" }))]), ModelError::CutOff),
        (Play::Pieces(vec!["no json".into()]), ModelError::Garbled),
        (Play::Pieces(vec![json!({ "error": { "message": KEY } }).to_string()]), ModelError::Broken(0)),
        (Play::Endless, ModelError::TooLong),
        (Play::Text("x".repeat(1 << 20)), ModelError::TooLong),
    ] {
        let script = Script::of([play, says("Again?")]).await;
        let told = script.model().ask(&question(true)).await.unwrap_err();
        assert_eq!((&told, script.asked().len()), (&fault, 1));
        assert!(!told.to_string().contains(KEY) && !told.to_string().contains("127.0.0.1"), "{told}");
    }
}

#[tokio::test]
async fn a_wait_that_is_longer_than_the_time_there_is_is_not_begun() {
    let script = Script::of([Play::Status(429, Some("60"), "{}")]).await;
    let begun = Instant::now();
    let told = script.model().ask(&question(false)).await.unwrap_err();
    assert_eq!(told, ModelError::Busy(Some(Duration::from_secs(60))));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn silence_ends_with_the_questions_own_time() {
    let script = Script::of([Play::Silence]).await;
    let within = Duration::from_millis(200);
    assert_eq!(script.model().ask(&Ask { within, ..question(true) }).await, Err(ModelError::Slow(within)));
}

#[tokio::test]
async fn an_answer_cut_by_its_limit_says_so() {
    let mut pieces = vec![delta(json!({ "content": "One. Tw" }))];
    pieces.extend(the_end("length"));
    let script = Script::of([Play::Pieces(pieces)]).await;
    assert_eq!(script.model().ask(&question(true)).await.unwrap().ended, Ended::Cut);
}

#[tokio::test]
async fn a_server_without_schemas_is_told_the_form_in_words_and_not_asked_for_one_again() {
    let refusal = Play::Status(400, None, r#"{"error":{"message":"'response_format' is not supported"}}"#);
    let script = Script::of([refusal, says(r#"{"n":1}"#), says_in_pieces(r#"{"n":2}"#)]).await;
    let model = script.model();
    let form = Form { name: "count".into(), schema: json!({ "type": "object", "title": "a count" }) };
    let ask = Ask { form: Some(form), ..question(true) };
    assert_eq!(model.ask(&ask).await.unwrap().text, r#"{"n":1}"#);
    assert_eq!(model.ask(&ask).await.unwrap().text, r#"{"n":2}"#);
    let asked: Vec<_> = script.asked().into_iter().map(|asked| asked.body).collect();
    assert_eq!(asked[0]["response_format"]["json_schema"]["strict"], json!(true));
    assert_eq!(asked.iter().filter(|body| body.get("response_format").is_some()).count(), 1, "learned once");
    assert!(asked[2]["messages"].to_string().contains("a count"));
}

#[tokio::test]
async fn newer_words_for_the_same_limit_are_learned() {
    let refusal = Play::Status(400, None, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.");
    let no_heat = Play::Status(400, None, "'temperature' does not support 0 with this model.");
    let script = Script::of([refusal, no_heat, says("Fine.")]).await;
    assert_eq!(script.model().ask(&question(false)).await.unwrap().text, "Fine.");
    let last = &script.asked()[2].body;
    assert_eq!(last["max_completion_tokens"], json!(100));
    assert!(last.get("max_tokens").is_none() && last.get("temperature").is_none());
}

#[tokio::test]
async fn many_looks_at_once_are_one_request() {
    let script = Script::of([]).await;
    let model = script.model();
    let looks = futures::future::join_all((0..50).map(|_| model.look())).await;
    assert!(looks.iter().all(Result::is_ok));
    assert_eq!(script.looks(), 1);
    assert!(!model.is_known_to_be_away());
}

#[tokio::test]
async fn a_look_knows_a_server_that_will_not_answer() {
    for (status, there) in [(200, true), (404, true), (429, true), (401, false), (500, false), (503, false)] {
        let script = Script::of([]).await;
        script.looks_like(status);
        let model = script.model();
        assert_eq!(model.look().await.is_ok(), there, "{status}");
        assert_eq!(model.is_known_to_be_away(), !there, "{status}");
    }
    assert_eq!(nobody().await.look().await, Err(ModelError::Away));
}

#[tokio::test]
async fn an_outage_met_by_one_question_is_known_to_all() {
    let script = Script::of([Play::Status(500, None, "{}"), says("Back.")]).await;
    let model = script.model();
    model.ask(&question(false)).await.unwrap_err();
    assert!(model.is_known_to_be_away() && model.look().await.is_err());
    assert_eq!(script.looks(), 0, "nobody had to ask");
    model.ask(&question(false)).await.unwrap();
    assert!(!model.is_known_to_be_away());
}
