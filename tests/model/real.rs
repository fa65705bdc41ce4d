//! One real model, small and weak: that the client and a server of llama.cpp's understand each other. Its shape and its usage are looked at,
//! never what it says. `make test-llm` installs it; where it is not there, the test says so and passes.

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use coinslot::model::{Ask, Form, Message, Model, ModelSettings, Tool, settings::base_url};
use serde_json::{Value, json};

use crate::bed::{CLONE, buy, shop};

const NAME: &str = "SmolLM2-135M-Instruct";

/// The server, for as long as it is needed.
struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// `None`: it is not installed here.
    async fn start() -> Option<Self> {
        let python = std::env::var("LLM_PYTHON").ok().filter(|python| Path::new(python).exists())?;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/model/serve.py");
        let child =
            Command::new(python).arg(script).arg(port.to_string()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut server = Self { child, url: format!("http://127.0.0.1:{port}") };
        let (begun, client) = (Instant::now(), coinslot::http_client::builder().timeout(Duration::from_secs(5)).build().unwrap());
        while !client.get(format!("{}/health", server.url)).send().await.is_ok_and(|answer| answer.status() == 200) {
            assert!(server.child.try_wait().unwrap().is_none(), "it ended at its start");
            assert!(begun.elapsed() < Duration::from_secs(60), "it is not ready after a minute");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(server)
    }

    fn model(&self) -> Model {
        Model::new(ModelSettings {
            url: base_url(&self.url).unwrap(),
            key: None,
            name: NAME.into(),
            timeout: Duration::from_secs(120),
            explains: true,
        })
    }
}

fn question(text: &str, streamed: bool) -> Ask {
    Ask {
        messages: vec![Message::System("You are brief.".into()), Message::User(text.into())],
        tools: Vec::new(),
        form: None,
        tokens_max: 60,
        within: Duration::from_secs(120),
        streamed,
    }
}

#[tokio::test]
async fn a_real_model_is_understood() {
    let Some(server) = Server::start().await else {
        eprintln!("skipped: no language model is installed here; `make test-llm` installs a small one and runs this test");
        return;
    };
    // On a machine with other things to do it writes eight tokens a second.
    tokio::time::timeout(Duration::from_secs(400), understood(server.model())).await.expect("it ends");
}

async fn understood(model: Model) {
    model.look().await.unwrap();

    for streamed in [false, true] {
        let answer = model.ask(&question("What is a token?", streamed)).await.unwrap();
        println!("streamed {streamed}: {:?} {:?} {:?}", answer.text, answer.ended, answer.usage);
        assert!(!answer.text.trim().is_empty());
        assert!(answer.usage.prompt > 0 && (1..=60).contains(&answer.usage.completion), "{:?}", answer.usage);
    }

    let schema = json!({
        "type": "object",
        "properties": { "safe": { "type": "boolean" }, "level": { "type": "string", "enum": ["low", "high"] } },
        "required": ["safe", "level"], "additionalProperties": false,
    });
    let form = Some(Form { name: "verdict".into(), schema });
    let answer = model.ask(&Ask { form, ..question("Is the sea safe? Answer as JSON.", true) }).await.unwrap();
    println!("in a form: {}", answer.text);
    let filled: Value = serde_json::from_str(&answer.text).unwrap();
    assert!(filled["safe"].is_boolean() && ["low", "high"].contains(&filled["level"].as_str().unwrap()), "{filled}");

    let parameters = json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] });
    let tool = Tool { name: "weather".into(), description: "Tells the weather of a city.".into(), parameters };
    let answer = model.ask(&Ask { tools: vec![tool], ..question("What is the weather in Rome?", true) }).await.unwrap();
    println!("with a tool: {:?} {:?}", answer.text, answer.calls);
    for call in &answer.calls {
        assert_eq!(call.name, "weather", "nothing else was offered");
    }

    // The whole way: what it writes may be anything, but it is labelled, bounded, and the facts beside it are ours.
    let shop = shop(Some(model)).await;
    let ada = shop.signed_in(1).await;
    let begun = Instant::now();
    let answer = buy(&shop, &ada, "contract-xray", &json!({ "bytecode": CLONE })).await;
    let report = answer.json();
    println!("explained after {:?}: {}", begun.elapsed(), report["explanation"]);
    assert_eq!((answer.status, &report["explanation"]["model"]), (200, &json!(NAME)));
    assert_eq!(report["engine"], json!("computed"));

    let begun = Instant::now();
    let answer = buy(&shop, &ada, "analyst", &json!({ "question": format!("What is this contract? {CLONE}") })).await;
    let report = answer.json();
    println!("analysed after {:?}: {report:#}", begun.elapsed());
    if answer.status == 500 {
        // Too slow on this machine: then it says so, and costs nothing.
        assert!(report["code"] == "agent_failed" && report["error"].as_str().unwrap().contains("the language model"), "{report}");
        assert_ne!(ada.credit(&shop).await, "0");
        return;
    }
    assert_eq!((answer.status, &report["model"]), (200, &json!(NAME)));
    let facts = report["facts"].as_array().unwrap().len() as u64;
    assert!(report["citations"].as_array().unwrap().iter().all(|number| (1..=facts).contains(&number.as_u64().unwrap())));
    assert!(report["usage"]["requests"].as_u64().unwrap() >= 1);
}
