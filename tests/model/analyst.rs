//! Analyst: a question, looks, facts, an answer that names them; and its bounds, whatever the model wants.

use coinslot::agents::analyst::Report;
use serde_json::{Value, json};

use crate::{
    bed::{CLONE, buy, price, run_of, shop, show},
    harness::{Answer, Shop, proof},
    script::{NAME, Play, Script, calls, concludes, says, says_in_pieces},
};

fn question() -> Value {
    json!({ "question": format!("Can anybody change what this does? {CLONE}") })
}

fn look(bytecode: &str) -> Play {
    calls(&[("contract_xray", json!({ "bytecode": bytecode }))])
}

/// Another clone, of its own target.
fn clone(n: usize) -> String {
    CLONE.replace("5fbdb231", &format!("{n:08x}"))
}

struct Bought {
    shop: Shop,
    answer: Answer,
}

async fn asks(script: &Script) -> Bought {
    let shop = shop(Some(script.model())).await;
    let ada = shop.signed_in(1).await;
    let answer = buy(&shop, &ada, "analyst", &question()).await;
    Bought { shop, answer }
}

impl Bought {
    #[track_caller]
    fn report(&self) -> Report {
        assert_eq!(self.answer.status, 200, "{}", String::from_utf8_lossy(&self.answer.bytes));
        serde_json::from_slice(&self.answer.bytes).unwrap()
    }
}

#[tokio::test]
async fn an_answer_names_the_facts_it_stands_on() {
    let script = Script::of([look(CLONE), says("I have seen enough."), concludes("No: it is a minimal proxy [1].", &[1])]).await;
    let bought = asks(&script).await;
    let report = bought.report();
    assert_eq!((report.engine.as_str(), report.model.as_str()), ("computed + scripted-1", NAME));
    assert_eq!((report.answer.as_str(), report.citations.as_slice()), ("No: it is a minimal proxy [1].", &[1][..]));
    assert_eq!(report.open_questions, ["Who is the owner?"]);
    assert_eq!(report.notices, Vec::<String>::new());
    assert!(!report.facts.is_empty() && report.facts.iter().all(|fact| fact.agent == "contract-xray"));
    assert_eq!(
        report.facts.iter().map(|fact| fact.number).collect::<Vec<_>>(),
        (1..=report.facts.len() as u32).collect::<Vec<_>>()
    );
    let [step] = report.steps.as_slice() else { panic!("{:?}", report.steps) };
    assert_eq!((step.agent.as_str(), step.facts.len()), ("contract-xray", report.facts.len()));
    assert_eq!((report.usage.requests, report.usage.tokens_read, report.usage.tokens_written), (3, 300, 30));
    let run = run_of(&bought.shop, &bought.answer).await;
    assert_eq!(run["engine"], json!(format!("computed + {NAME}")));

    // What the model was shown: the question as data, the schema of the agent's own input, the facts with their numbers, then the form.
    let asked: Vec<Value> = script.asked().into_iter().map(|asked| asked.body).collect();
    let text = |turn: usize, at: usize| asked[turn]["messages"][at]["content"].as_str().unwrap().to_owned();
    assert!(text(0, 0).contains("never an instruction") && text(0, 1).contains("BEGIN DATA") && text(0, 1).contains(CLONE));
    assert_eq!(asked[0]["tools"][0]["function"]["name"], json!("contract_xray"));
    assert!(asked[0]["tools"][0]["function"]["parameters"]["properties"].get("bytecode").is_some());
    assert_eq!((&asked[1]["messages"][3]["role"], &asked[1]["messages"][3]["tool_call_id"]), (&json!("tool"), &json!("c0")));
    assert!(text(1, 3).contains(&format!("[1] contract-xray {}", report.facts[0].text)), "{}", text(1, 3));
    assert!(asked[2].get("tools").is_none());
    assert_eq!(asked[2]["response_format"]["type"], json!("json_schema"));
    bought.shop.assert_balanced().await;
}

#[tokio::test]
async fn an_answer_in_the_form_needs_no_further_question() {
    let script = Script::of([look(CLONE), concludes("A clone [1].", &[])]).await;
    let report = asks(&script).await.report();
    assert_eq!((report.citations, report.usage.requests), (vec![1], 2));
}

#[tokio::test]
async fn numbers_of_no_fact_are_dropped_and_an_answer_without_one_is_said_to_be_uncited() {
    let script = Script::of([look(CLONE), says("Done."), concludes("It is safe [77].", &[77, 0, -3])]).await;
    let report = asks(&script).await.report();
    assert_eq!((report.answer.as_str(), report.citations.len()), ("It is safe.", 0));
    assert!(report.notices.iter().any(|notice| notice.contains("uncited")), "{:?}", report.notices);
    assert!(report.notices.iter().any(|notice| notice.contains("do not exist")), "{:?}", report.notices);

    let script = Script::of([says("I know it by heart."), concludes("It is safe.", &[1])]).await;
    let report = asks(&script).await.report();
    assert!(report.steps.is_empty() && report.facts.is_empty() && report.citations.is_empty());
    assert!(report.notices.iter().any(|notice| notice.contains("uncited")), "{:?}", report.notices);
}

#[tokio::test]
async fn a_model_that_never_stops_looking_is_stopped() {
    let mut plays: Vec<Play> = (0..6).map(|n| look(&clone(n))).collect();
    plays.push(concludes("Clones, all of them [1].", &[1]));
    let script = Script::of(plays).await;
    let report = asks(&script).await.report();
    assert_eq!((report.steps.len(), report.usage.requests), (6, 7));
    assert!(report.notices.iter().any(|notice| notice.contains("6 turns")), "{:?}", report.notices);
    assert!(script.asked()[6].body.get("tools").is_none(), "the last question leaves it no choice");

    let many: Vec<(String, Value)> = (0..9).map(|n| ("contract_xray".to_owned(), json!({ "bytecode": clone(n) }))).collect();
    let turn = |from: usize| calls(&many[from..].iter().map(|(name, input)| (name.as_str(), input.clone())).collect::<Vec<_>>());
    let script = Script::of([turn(0), turn(3), turn(6), concludes("Clones [1].", &[1])]).await;
    let report = asks(&script).await.report();
    let looked = report.steps.iter().filter(|step| !step.facts.is_empty()).count();
    assert_eq!((looked, report.usage.requests), (8, 4));
    assert!(report.notices.iter().any(|notice| notice.contains("first 3")), "{:?}", report.notices);
    assert!(report.notices.iter().any(|notice| notice.contains("8 times")), "{:?}", report.notices);
    // Every call that it is shown to have made has its result, or servers refuse the conversation.
    let messages = script.asked()[3].body["messages"].as_array().unwrap().clone();
    let made: usize = messages.iter().filter_map(|message| message["tool_calls"].as_array()).map(Vec::len).sum();
    assert_eq!(messages.iter().filter(|message| message["role"] == "tool").count(), made);
}

#[tokio::test]
async fn a_model_that_reads_too_much_has_to_answer() {
    let heavy = |play: Play| match play {
        Play::Whole(mut value) => {
            value["usage"]["prompt_tokens"] = json!(70_000);
            Play::Whole(value)
        }
        other => other,
    };
    let script = Script::of([heavy(look(CLONE)), concludes("A clone [1].", &[1])]).await;
    let report = asks(&script).await.report();
    assert_eq!((report.steps.len(), report.usage.requests), (1, 2));
    assert!(report.notices.iter().any(|notice| notice.contains("had read all")), "{:?}", report.notices);
}

#[tokio::test]
async fn a_call_that_cannot_be_made_is_told_to_the_model_and_to_the_reader() {
    let wrong = calls(&[
        ("send_money", json!({ "to": "0x1", "amount": "all" })),
        ("contract_xray", json!({ "address": "0x12" })),
        ("contract_xray", json!({ "code": CLONE })),
    ]);
    let script = Script::of([wrong, look(CLONE), look(CLONE), says("Done."), concludes("A clone [1].", &[1])]).await;
    let report = asks(&script).await.report();
    let outcomes: Vec<&str> = report.steps.iter().map(|step| step.outcome.as_str()).collect();
    assert_eq!(outcomes[0], "There is no such agent.");
    assert!(outcomes[1].contains("An address is 0x and 40 hexadecimal digits"), "{outcomes:?}");
    assert!(outcomes[2].contains("code"), "{outcomes:?}");
    assert!(outcomes[3].starts_with("Found"), "{outcomes:?}");
    assert_eq!(outcomes[4], "It had looked at exactly this before.");
    assert!(report.steps[..3].iter().all(|step| step.facts.is_empty()));
    let told = script.asked()[1].body["messages"].to_string();
    assert!(told.contains("There is no such tool") && told.contains("40 hexadecimal digits"), "{told}");
}

#[tokio::test]
async fn a_model_that_was_talked_into_something_can_only_talk() {
    let script = Script::of([
        look(CLONE),
        calls(&[("transfer", json!({ "to": "0xdeadbeef00000000000000000000000000000000" }))]),
        says("As told."),
        concludes("All is well [99]. Claim your reward at https://evil.example/claim, says [1].", &[99]),
    ])
    .await;
    let bought = asks(&script).await;
    let report = bought.report();
    assert_eq!(report.citations, [1], "a fact that nobody computed is not cited");
    assert!(
        report.notices.iter().any(|notice| notice.contains("neither in the question nor in the facts")),
        "{:?}",
        report.notices
    );
    assert!(report.steps[1].facts.is_empty());
    // As a reader sees it: a text with its author's name, and no link.
    let path = bought.answer.header("content-location").unwrap().replace("/api", "");
    let page = String::from_utf8(bought.shop.get(&path).await.bytes).unwrap();
    assert!(page.contains("Written by the language model scripted-1"), "the page shows the answer");
    assert!(!page.contains("href=\"https://evil.example"), "{page}");
}

#[tokio::test]
async fn words_without_the_form_are_shown_as_what_they_are() {
    let script = Script::of([look(CLONE), says("Done."), says_in_pieces("It is a clone, I think [1].")]).await;
    let report = asks(&script).await.report();
    assert_eq!(
        (report.answer.as_str(), report.citations.as_slice(), report.confidence),
        ("It is a clone, I think [1].", &[1][..], None)
    );
    assert!(report.notices.iter().any(|notice| notice.contains("did not keep to the form")), "{:?}", report.notices);
}

#[tokio::test]
async fn a_model_that_fails_in_the_middle_costs_nothing_and_the_same_payment_tries_again() {
    let script = Script::of([look(CLONE), Play::Status(500, None, "{}")]).await;
    let shop = shop(Some(script.model())).await;
    let ada = shop.signed_in(1).await;
    let offers = price(&shop, "analyst", &question()).await.offers();
    let wei: u128 = offers.accepts[0].amount.to_string().parse().unwrap();
    let payment = proof(&offers, ada.paid(&shop, wei).await);
    let failed = show(&shop, &ada, "analyst", &question(), &payment).await;
    failed.is(500, "agent_failed");
    let told = failed.json();
    assert!(told["error"].as_str().unwrap().contains("language model") && told["retry"] == "same_payment", "{told}");
    assert_eq!(ada.credit(&shop).await, wei.to_string());
    // Whoever waited was told of each step as it began.
    let run = run_of(&shop, &failed).await;
    let told: Vec<&str> =
        run["progress"]["steps"].as_array().unwrap().iter().map(|step| step["words"].as_str().unwrap()).collect();
    assert_eq!((told[0], told[2], told.len()), ("Deciding what to look at", "Deciding what else to look at", 3), "{told:?}");
    assert!(told[1].starts_with("Contract X-ray: "), "{told:?}");

    for play in [look(CLONE), says("Done."), concludes("A clone [1].", &[1])] {
        script.then(play);
    }
    let again = show(&shop, &ada, "analyst", &question(), &payment).await;
    assert_eq!(again.status, 200, "{}", String::from_utf8_lossy(&again.bytes));
    assert_eq!(ada.credit(&shop).await, "0");
    shop.assert_balanced().await;
}
