//! What the shop lets in and what it hands out, whatever is inside: settings, files, limits, cross-site refusal, headers.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    body::{Body, Bytes, to_bytes},
    extract::ConnectInfo,
    http::{HeaderMap, Method, Request, Response, StatusCode, header},
    routing::{get, post},
};
use coinslot::{
    chain::ChainSettings,
    evm::Address,
    server::{
        assets::Site,
        limits::{Doorkeeper, Limits, Quota},
        listen::Rules,
        router::{BODY_MAX, protected},
        settings::{LogFormat, Settings, Settler, Sources, secret},
    },
};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tower::ServiceExt;

mod anvil;
#[path = "outside/connections.rs"]
mod connections;

mod settings {
    use super::*;

    fn read(env: &[(&str, &str)]) -> Result<Settings, String> {
        read_with(None, env)
    }

    fn read_with(config: Option<&str>, env: &[(&str, &str)]) -> Result<Settings, String> {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let config = config.map(|text| ("shop.toml".to_owned(), text.to_owned()));
        Settings::read(&Sources { config, env, ..Sources::default() }).map_err(|wrong| wrong.to_string())
    }

    #[track_caller]
    fn refused(env: &[(&str, &str)]) -> String {
        read(env).err().expect("refused")
    }

    #[test]
    fn the_defaults_are_a_shop_on_loopback_that_only_lacks_a_recipient() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.addr.to_string(), "127.0.0.1:4020");
        assert_eq!(settings.public_url_at(settings.addr), "http://127.0.0.1:4020");
        assert_eq!(settings.networks[0].network.id, "eip155:10143");
        assert_eq!(settings.networks[0].network.gas_price_hint.to_string(), "102000000000");
        assert_eq!((settings.workers, settings.offer_ttl, settings.log_format), (4, Duration::from_secs(300), LogFormat::Text));
        assert!(settings.database().unwrap().starts_with("sqlite:///"));
        assert!(settings.database().unwrap().ends_with("/data/coinslot.db"));
        assert_eq!(
            settings.pay_to_or_refuse().unwrap_err().to_string(),
            "COINSLOT_PAY_TO is not set: expected the address that visitors pay to, one that is used for nothing else"
        );
    }

    #[test]
    fn s4_how_long_and_how_many_connections_are_kept_are_settings() {
        let settings = read(&[]).unwrap();
        assert!(settings.keep_alive > Duration::from_secs(60), "longer than proxies and browsers keep theirs");
        assert_eq!((settings.keep_alive, settings.connections_per_address), (Duration::from_secs(75), Some(64)));
        let proxy = ("COINSLOT_TRUSTED_PROXIES", "10.0.0.0/8");
        let settings = read(&[("COINSLOT_KEEP_ALIVE_S", "120"), ("COINSLOT_CONNECTIONS_PER_ADDRESS", "0"), proxy]).unwrap();
        assert_eq!((settings.keep_alive, settings.connections_per_address), (Duration::from_secs(120), None));
        let rules = Rules::of(&settings);
        assert_eq!((rules.patience.idle, rules.of_address), (Duration::from_secs(120), usize::MAX));
        assert!(rules.patience.head <= Duration::from_secs(30), "a head that was begun has less");
        let is_free = |peer: &str| rules.unbounded.iter().any(|range| range.contains(peer.parse().unwrap()));
        assert!(is_free("10.9.9.9") && is_free("127.0.0.1") && is_free("::1") && !is_free("203.0.113.7"));
        assert!(refused(&[("COINSLOT_KEEP_ALIVE_S", "0")]).ends_with("expected whole seconds, 1 to 3600"));
        assert!(
            refused(&[("COINSLOT_CONNECTIONS_PER_ADDRESS", "few")]).ends_with("expected a whole number, 0 (no limit) to 100000")
        );
    }

    #[test]
    fn every_layer_wins_over_the_one_below() {
        let file = "[coinslot]\nworkers = 5\noffer_ttl_s = 60\naddr = \"127.0.0.1:1\"\n[coinslot.network.monad-testnet]\npoll_ms = 900\n";
        let env =
            vec![("COINSLOT_OFFER_TTL_S".to_owned(), "90".to_owned()), ("COINSLOT_ADDR".to_owned(), "127.0.0.1:2".to_owned())];
        let sources = Sources {
            addr: Some("localhost:3".to_owned()),
            data: None,
            config: Some(("shop.toml".to_owned(), file.to_owned())),
            env,
        };
        let settings = Settings::read(&sources).unwrap();
        assert_eq!(settings.workers, 5, "the file over the default");
        assert_eq!(settings.offer_ttl, Duration::from_secs(90), "the environment over the file");
        assert_eq!(settings.addr.to_string(), "127.0.0.1:3", "a flag over the environment");
        assert_eq!(settings.networks[0].poll, Duration::from_millis(900));
        assert_eq!(settings.networks[0].network.name, "Monad testnet", "a table's other keys stay");
    }

    #[test]
    fn networks_and_their_keys_come_from_the_environment_too() {
        let settings = read(&[
            ("COINSLOT_NETWORKS", "local, monad-testnet"),
            ("COINSLOT_NETWORK__LOCAL__RPC_URLS", "http://127.0.0.1:1,http://127.0.0.1:2"),
            ("COINSLOT_NETWORK__LOCAL__FINALITY", "12"),
            ("COINSLOT_NETWORK__MONAD_TESTNET__FINALITY", "safe"),
        ])
        .unwrap();
        let [local, testnet] = settings.networks.as_slice() else { panic!("two networks") };
        assert_eq!(
            local.rpc_urls.iter().map(|url| url.as_str()).collect::<Vec<_>>(),
            ["http://127.0.0.1:1/", "http://127.0.0.1:2/"]
        );
        assert_eq!(local.finality, coinslot::chain::Finality::Confirmations(12));
        assert_eq!(testnet.finality, coinslot::chain::Finality::Tag("safe".to_owned()));
    }

    #[test]
    fn s7_a_list_is_taken_as_help_prints_it_and_with_commas() {
        let two = ["http://127.0.0.1:1/", "http://127.0.0.1:2/"];
        for urls in [
            r#"["http://127.0.0.1:1","http://127.0.0.1:2"]"#,
            r#"[ "http://127.0.0.1:1", "http://127.0.0.1:2" ]"#,
            "['http://127.0.0.1:1', 'http://127.0.0.1:2',]",
            "[\n  \"http://127.0.0.1:1\",\n  \"http://127.0.0.1:2\"\n]",
            r#""http://127.0.0.1:1, http://127.0.0.1:2""#,
            "http://127.0.0.1:1,http://127.0.0.1:2,",
        ] {
            let settings = read(&[("COINSLOT_NETWORKS", r#"["local"]"#), ("COINSLOT_NETWORK__LOCAL__RPC_URLS", urls)]).unwrap();
            assert_eq!(settings.networks[0].rpc_urls.iter().map(url::Url::as_str).collect::<Vec<_>>(), two, "{urls}");
        }
        let settings = read(&[
            ("COINSLOT_NETWORKS", r#"["local","monad-testnet"]"#),
            ("COINSLOT_TRUSTED_PROXIES", r#"["10.0.0.0/8","::1"]"#),
            ("COINSLOT_NETWORK__LOCAL__TRACE_URLS", "[]"),
            ("COINSLOT_ADDR", r#""127.0.0.1:4021""#),
        ])
        .unwrap();
        assert_eq!((settings.networks.len(), settings.trusted_proxies.len()), (2, 2));
        assert!(settings.networks[0].trace_urls.is_empty());
        assert_eq!(settings.addr.to_string(), "127.0.0.1:4021", "a text in the quotes that it is printed with");
        // What is no list is told, and its keys are not.
        for wrong in [r#"["http://127.0.0.1:1""#, r#"[1]"#, r#"["a"] ["b"]"#, "[\"http://127.0.0.1:1\"]\nmore = 1"] {
            let said = refused(&[("COINSLOT_NETWORKS", "local"), ("COINSLOT_NETWORK__LOCAL__RPC_URLS", wrong)]);
            assert!(said.starts_with("COINSLOT_NETWORK__LOCAL__RPC_URLS is (not shown)"), "{said}");
        }
        // Every default that is a list, in the very words of the help.
        let help = coinslot::server::settings::explained();
        let mut lists = 0;
        for line in help.lines() {
            let Some((name, default)) = line.strip_suffix(')').and_then(|line| line.split_once(" (default: [")) else { continue };
            lists += 1;
            read(&[(name, &format!("[{default}"))]).unwrap_or_else(|why| panic!("{name}: {why}"));
        }
        assert!(lists >= 4, "{help}");
    }

    #[test]
    fn p3_who_is_asked_for_traces_and_how_often_the_balance_is_looked_at_are_settings() {
        let settings = read(&[("COINSLOT_NETWORKS", "local, monad")]).unwrap();
        for network in &settings.networks {
            assert!(network.trace_urls.is_empty(), "those of rpc_urls that trace");
            assert_eq!(network.idle_look, Duration::from_secs(60));
        }
        let settings = read(&[
            ("COINSLOT_NETWORKS", "local"),
            ("COINSLOT_NETWORK__LOCAL__TRACE_URLS", "http://127.0.0.1:7,http://127.0.0.1:8"),
            ("COINSLOT_NETWORK__LOCAL__IDLE_LOOK_S", "5"),
        ])
        .unwrap();
        let [local] = settings.networks.as_slice() else { panic!("one network") };
        assert_eq!(
            local.trace_urls.iter().map(|url| url.as_str()).collect::<Vec<_>>(),
            ["http://127.0.0.1:7/", "http://127.0.0.1:8/"]
        );
        assert_eq!(local.idle_look, Duration::from_secs(5));
        assert!(!format!("{local:?}").contains("127.0.0.1:7"), "they may hold keys");
        let wrong = refused(&[("COINSLOT_NETWORKS", "local"), ("COINSLOT_NETWORK__LOCAL__IDLE_LOOK_S", "0")]);
        assert_eq!(wrong, "COINSLOT_NETWORK__LOCAL__IDLE_LOOK_S is \"0\": expected whole seconds, 1 to 86400");
    }

    #[test]
    fn p4_whether_wallets_sponsor_gas_is_the_networks_own_setting() {
        let sponsored = |env: &[(&str, &str)]| {
            let networks = read(env).unwrap().networks;
            networks.into_iter().map(|chain| chain.network.wallet_sponsors_gas).collect::<Vec<_>>()
        };
        assert_eq!(sponsored(&[("COINSLOT_NETWORKS", "monad,monad-testnet,local")]), [true, true, false]);
        assert_eq!(sponsored(&[("COINSLOT_NETWORK__MONAD_TESTNET__WALLET_SPONSORS_GAS", "false")]), [false]);
        let wrong = refused(&[("COINSLOT_NETWORK__MONAD_TESTNET__WALLET_SPONSORS_GAS", "MetaMask")]);
        assert!(wrong.contains("WALLET_SPONSORS_GAS") && wrong.ends_with("expected true or false"), "{wrong}");
    }

    #[test]
    fn a_new_network_is_a_table() {
        let table = "[coinslot]\nnetworks = [\"mine\"]\n[coinslot.network.mine]\nchain_id = 7\nname = \"Mine\"\nsymbol = \"M\"\ndecimals = 18\n\
                     rpc_urls = [\"http://127.0.0.1:1\"]\nfinality = 3\npoll_ms = 100\ntimeout_ms = 1000\n\
                     wallet_rpc_url = \"https://rpc.example/\"\ngas_price_hint_gwei = 1\n";
        let network = read_with(Some(table), &[]).unwrap().networks.remove(0).network;
        assert_eq!((network.id.as_str(), network.slug.as_str(), network.explorer), ("eip155:7", "mine", None));
        assert_eq!(network.wallet_rpc_url, "https://rpc.example");
        let wrong = read_with(Some(&table.replace("symbol = \"M\"\n", "")), &[]).err().unwrap();
        assert_eq!(wrong, "network.mine.symbol is missing: expected the coin's symbol, 1 to 11 letters or digits");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_value_and_what_is_allowed() {
        let whole_address =
            "an address, 0x and 40 hexadecimal digits, not the zero address; in mixed case its EIP-55 checksum has to be right";
        let zero = format!("0x{}", "0".repeat(40));
        let typo = "0x70997970C51812dc3A010C7d01b50e0d17dc79c8";
        for (name, value, allowed) in [
            ("COINSLOT_PAY_TO", "0x12", whole_address),
            ("COINSLOT_PAY_TO", &zero, whole_address),
            ("COINSLOT_PAY_TO", typo, whole_address),
            ("COINSLOT_ADDR", "4020", "IP:PORT, such as 127.0.0.1:4020"),
            ("COINSLOT_WORKERS", "0", "a whole number, 1 to 256"),
            ("COINSLOT_WORKERS", "four", "a whole number, 1 to 256"),
            ("COINSLOT_OFFER_TTL_S", "5", "whole seconds, 30 to 86400"),
            ("COINSLOT_LOG_FORMAT", "xml", "text or json"),
            ("COINSLOT_LOG_LEVEL", "coinslot=loud", "error, warn, info, debug, trace, or tracing directives"),
            ("COINSLOT_NETWORK__MONAD_TESTNET__FINALITY", "latest", "finalized, safe, or a number of confirmations (0 to 10000)"),
            ("COINSLOT_NETWORKS", "moon", "names of networks that have a table, each once: local, monad, monad-testnet"),
            ("COINSLOT_NETWORKS", "local,local", "names of networks that have a table, each once: local, monad, monad-testnet"),
            ("COINSLOT_TRUSTED_PROXIES", "10.0.0.0/99", "addresses or ranges, such as 10.0.0.0/8"),
            ("COINSLOT_LIMIT_API_BURST", "0", "a whole number, 1 to 100000"),
            ("COINSLOT_NETWORK__MONAD_TESTNET__TOKEN__USDC__ADDRESS", typo, whole_address),
            ("COINSLOT_NETWORK__MONAD_TESTNET__TOKEN__USDC__DECIMALS", "37", "a whole number, 0 to 36"),
            ("COINSLOT_NETWORK__MONAD_TESTNET__TOKEN__USDC__EIP3009", "yes", "true or false"),
        ] {
            assert_eq!(refused(&[(name, value)]), format!("{name} is {value:?}: expected {allowed}"));
        }
        for url in
            ["shop.example", "http://shop.example", "https://shop.example/shop", "https://me@shop.example", "ftp://shop.example"]
        {
            assert_eq!(
                refused(&[("COINSLOT_PUBLIC_URL", url)]),
                format!(
                    "COINSLOT_PUBLIC_URL is {url:?}: expected scheme, host and port without a path, such as https://shop.example (http only on loopback)"
                )
            );
        }
        let file = "[coinslot]\nworkers = \"many\"\n";
        assert_eq!(
            read_with(Some(file), &[]).err().unwrap(),
            "workers (in shop.toml) is \"many\": expected a whole number, 1 to 256"
        );
        let file = "[coinslot]\nworkers = 2.5\naddr = 4020\n";
        assert_eq!(
            read_with(Some(file), &[]).err().unwrap(),
            "addr (in shop.toml) is 4020: expected IP:PORT, such as 127.0.0.1:4020\n\
             workers (in shop.toml) is 2.5: expected a whole number, 1 to 256",
            "all that is wrong at once"
        );
    }

    #[test]
    fn no_message_repeats_a_secret() {
        for (name, value) in [
            ("COINSLOT_SECRET", "hunter2hunter2"),
            ("COINSLOT_DATABASE_URL", "mysql://hunter2"),
            ("COINSLOT_NETWORK__MONAD_TESTNET__RPC_URLS", "wss://rpc.example/hunter2"),
            ("COINSLOT_NETWORK__MONAD_TESTNET__TRACE_URLS", "wss://rpc.example/hunter2"),
            ("COINSLOT_NETWORK__MONAD_TESTNET__FACILITATOR_URL", "https://facilitator.example/?key=hunter2"),
            ("COINSLOT_OPERATOR_KEY", "hunter2hunter2"),
        ] {
            let sentence = refused(&[(name, value)]);
            assert!(sentence.starts_with(&format!("{name} is (not shown): expected ")), "{sentence}");
            assert!(!sentence.contains("hunter2"), "{sentence}");
        }
        let sentence = read_with(Some("[coinslot]\nsecret = hunter2\n"), &[]).err().unwrap();
        assert!(sentence.starts_with("shop.toml is no TOML file: ") && !sentence.contains("hunter2"), "{sentence}");
    }

    #[test]
    fn a_key_that_is_none_is_refused_with_the_nearest_one() {
        assert_eq!(refused(&[("COINSLOT_PAYTO", "x")]), "COINSLOT_PAYTO is no setting: did you mean COINSLOT_PAY_TO?");
        assert_eq!(
            refused(&[("COINSLOT_NETWORK__LOCAL__RPC_URL", "x")]),
            "COINSLOT_NETWORK__LOCAL__RPC_URL is no setting: did you mean COINSLOT_NETWORK__LOCAL__RPC_URLS?"
        );
        assert_eq!(
            refused(&[("COINSLOT_SOMETHING_ELSE", "x")]),
            "COINSLOT_SOMETHING_ELSE is no setting: `coinslot --help` lists all settings"
        );
        let wrong = |file: &str| read_with(Some(file), &[]).err().unwrap();
        assert_eq!(wrong("[coinslot]\nworker = 1\n"), "worker (in shop.toml) is no setting: did you mean workers?");
        assert_eq!(
            wrong("[coinslot.network.local]\npoll = 1\n"),
            "network.local.poll (in shop.toml) is no setting: did you mean poll_ms?"
        );
        assert_eq!(wrong("pay_to = \"x\"\n"), "pay_to (in shop.toml) stands outside the table [coinslot]: move it there");
        assert!(read_with(Some(include_str!("../Leptos.toml")), &[("COINSLOT_CACHE", "/x"), ("PATH", "/bin")]).is_ok());
    }

    #[test]
    fn off_loopback_the_public_address_has_to_be_said() {
        assert_eq!(
            refused(&[("COINSLOT_ADDR", "0.0.0.0:80")]),
            "public_url (in Leptos.toml) is not set: expected how visitors reach the shop, such as https://shop.example, because it listens on 0.0.0.0:80"
        );
        let settings = read(&[("COINSLOT_ADDR", "0.0.0.0:80"), ("COINSLOT_PUBLIC_URL", "https://Shop.example:443/")]).unwrap();
        assert_eq!(settings.public_url.as_deref(), Some("https://shop.example"));
        let settings = read(&[("COINSLOT_PUBLIC_URL", "http://localhost:8080")]).unwrap();
        assert_eq!(settings.public_url.as_deref(), Some("http://localhost:8080"));
    }

    #[test]
    fn postgresql_needs_a_secret_of_ones_own() {
        let database = ("COINSLOT_DATABASE_URL", "postgres://shop@db/shop");
        assert_eq!(
            refused(&[database]),
            "secret (in Leptos.toml) is (not shown): expected 64 hexadecimal digits, the same for every instance, because the database is PostgreSQL"
        );
        let digits = "12".repeat(32); // digits alone are no number
        let settings = read(&[database, ("COINSLOT_SECRET", &digits)]).unwrap();
        assert_eq!(settings.secret, Some([0x12; 32]));
        assert_eq!(settings.database().unwrap(), "postgres://shop@db/shop");
    }

    const KEY: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";
    /// Of that key.
    const KEYS_ADDRESS: &str = "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a";

    #[test]
    fn tokens_are_sold_for_only_where_somebody_settles_them() {
        let symbols = |settings: &Settings| -> Vec<Vec<String>> {
            let tokens = |chain: ChainSettings| chain.network.tokens.into_iter().map(|token| token.symbol).collect();
            settings.sold_on().into_iter().map(tokens).collect()
        };
        let both = ("COINSLOT_NETWORKS", "monad-testnet,monad");
        let nobody = read(&[both]).unwrap();
        assert_eq!(symbols(&nobody), [[""; 0], []]);
        assert_eq!(nobody.networks[0].network.tokens.len(), 1, "it is known all the same: check says what is missing");
        let operator = read(&[both, ("COINSLOT_OPERATOR_KEY", KEY)]).unwrap();
        assert_eq!(symbols(&operator), [["USDC"], ["USDC"]]);
        let facilitator = ("COINSLOT_NETWORK__MONAD__FACILITATOR_URL", "https://facilitator.example/x402");
        let settings = read(&[both, facilitator]).unwrap();
        assert_eq!(symbols(&settings), [vec![], vec!["USDC"]]);
        assert_eq!(
            settings.facilitator_urls["eip155:143"].join("verify").unwrap().as_str(),
            "https://facilitator.example/x402/verify"
        );
        let settings = read(&[both, facilitator, ("COINSLOT_OPERATOR_KEY", KEY)]).unwrap();
        assert!(matches!(settings.settler("eip155:143"), Some(Settler::Facilitator(_))), "it wins over the key");
        assert!(matches!(settings.settler("eip155:10143"), Some(Settler::Operator(_))), "which settles on the others");
    }

    #[test]
    fn a_token_is_a_table_and_its_symbol_the_tables_name() {
        let usdc = read(&[("COINSLOT_NETWORKS", "monad")]).unwrap().networks.remove(0).network.tokens.remove(0);
        let told = (usdc.symbol.as_str(), usdc.name.as_str(), usdc.version.as_str(), usdc.decimals, usdc.eip3009, usdc.permit2);
        assert_eq!(told, ("USDC", "USDC", "2", 6, true, true));
        assert_eq!(usdc.address.to_string(), "0x754704bc059f8c67012fed69bc8a327a5aafb603");

        let table = "[coinslot.network.monad-testnet.token.eurc]\naddress = \"0x1111111111111111111111111111111111111111\"\n\
                     name = \"Euro Coin\"\nversion = \"1\"\ndecimals = 2\neip3009 = false\npermit2 = true\n";
        let off = ("COINSLOT_NETWORK__MONAD_TESTNET__TOKEN__USDC__EIP3009", "false");
        let tokens = read_with(Some(table), &[off]).unwrap().networks.remove(0).network.tokens;
        let told: Vec<_> = tokens.iter().map(|token| (token.symbol.as_str(), token.eip3009, token.permit2)).collect();
        assert_eq!(told, [("EURC", false, true), ("USDC", false, true)]);
        let off = [off, ("COINSLOT_NETWORK__MONAD_TESTNET__TOKEN__USDC__PERMIT2", "false")];
        let tokens = read_with(Some(table), &off).unwrap().networks.remove(0).network.tokens;
        assert_eq!(tokens.len(), 1, "what is taken by neither method is not sold for");

        let wrong = |file: &str| read_with(Some(file), &[]).err().unwrap();
        assert_eq!(
            wrong(&table.replace("version = \"1\"\n", "")),
            "network.monad-testnet.token.eurc.version is missing: expected the version in the token's EIP-712 domain, 1 to 16 characters"
        );
        assert_eq!(
            wrong(&table.replace("0x1111111111111111111111111111111111111111", "0x534b2f3A21130d7a60830c2Df862319e593943A3")),
            "network.monad-testnet.token.usdc.address (in Leptos.toml) is \"0x534b2f3A21130d7a60830c2Df862319e593943A3\": expected \
             another address than the tokens before it have"
        );
        for name in ["EURC", "mon", "eur-c"] {
            let told = wrong(&table.replace(".eurc]", &format!(".{name}]")));
            assert!(told.starts_with(&format!("network.monad-testnet.token.{name} ")), "{told}");
            assert!(
                told.ends_with(
                    "expected the token's symbol as the table's name, 1 to 11 lower-case letters or digits, not that of the coin"
                ),
                "{told}"
            );
        }
        assert_eq!(
            wrong(&table.replace("permit2 =", "permit =")).lines().next().unwrap(),
            "network.monad-testnet.token.eurc.permit (in shop.toml) is no setting: did you mean permit2?"
        );
        assert_eq!(
            refused(&[("COINSLOT_NETWORK__MONAD_TESTNET__TOKEN", "usdc")]),
            "COINSLOT_NETWORK__MONAD_TESTNET__TOKEN is no setting: expected a table, [coinslot.network.monad-testnet.token]"
        );
    }

    #[test]
    fn a_model_is_off_until_its_server_and_its_name_are_set() {
        assert!(read(&[]).unwrap().model.is_none());
        let (url, name) = (("COINSLOT_MODEL_URL", "http://127.0.0.1:8089"), ("COINSLOT_MODEL_NAME", "small-1"));
        let model = read(&[url, name]).unwrap().model.unwrap();
        assert_eq!(
            (model.url.as_str(), model.name.as_str(), model.key.is_none()),
            ("http://127.0.0.1:8089/v1/", "small-1", true)
        );
        assert!(refused(&[url]).starts_with("model_name (in Leptos.toml) is not set: expected what the server calls the model"));
        assert!(refused(&[name]).starts_with("model_url (in Leptos.toml) is not set: expected where the model's server is"));
        assert!(
            refused(&[("COINSLOT_MODEL_URL", "https://me:pass@api.example/v1"), name])
                .contains("without user, password or query")
        );
        assert!(refused(&[url, name, ("COINSLOT_MODEL_TIMEOUT_S", "0")]).contains("1 to 300"));
    }

    #[test]
    fn the_models_key_comes_from_the_environment_or_a_file_and_is_never_shown() {
        let model = [("COINSLOT_MODEL_URL", "https://api.example/v1"), ("COINSLOT_MODEL_NAME", "small-1")];
        let with = |more: (&'static str, String)| {
            let env: Vec<(&str, &str)> = model.iter().copied().chain([(more.0, more.1.as_str())]).collect();
            read(&env).map(|settings| settings.model.unwrap()).map_err(|wrong| wrong.to_string())
        };
        let shown = format!("{:?}", with(("COINSLOT_MODEL_KEY", "sk-hunter2".into())).unwrap());
        assert!(shown.contains("not shown") && !shown.contains("hunter2"), "{shown}");
        let wrong = with(("COINSLOT_MODEL_KEY", "sk hunter2".into())).unwrap_err();
        assert!(wrong.starts_with("COINSLOT_MODEL_KEY is (not shown): expected a key") && !wrong.contains("hunter2"), "{wrong}");

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.key");
        let file = || ("COINSLOT_MODEL_KEY_FILE", path.to_str().unwrap().to_owned());
        assert!(with(file()).unwrap_err().contains("expected a file that holds a key"));
        std::fs::write(&path, "two words hunter2\n").unwrap();
        assert!(!with(file()).unwrap_err().contains("hunter2"));
        std::fs::write(&path, "sk-hunter2\n").unwrap();
        assert!(with(file()).unwrap().key.is_some());
        let both = [model[0], model[1], ("COINSLOT_MODEL_KEY", "sk-1"), ("COINSLOT_MODEL_KEY_FILE", path.to_str().unwrap())];
        assert!(refused(&both).ends_with("expected nothing, because model_key is set"));
    }

    #[test]
    fn the_operators_key_comes_from_the_environment_or_a_file_and_is_never_shown() {
        let key = read(&[("COINSLOT_OPERATOR_KEY", KEY)]).unwrap().operator_key.unwrap();
        assert_eq!((key.address().to_string().as_str(), key.bytes()), (KEYS_ADDRESS, [0x11; 32]));
        assert!(!format!("{key:?}").contains("1111"), "{key:?}");

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("operator.key");
        let file = ("COINSLOT_OPERATOR_KEY_FILE", path.to_str().unwrap());
        let missing = refused(&[file]);
        assert!(
            missing.starts_with(&format!("COINSLOT_OPERATOR_KEY_FILE is {:?}: expected a file that holds a private key", file.1))
        );
        std::fs::write(&path, "hunter2hunter2\n").unwrap();
        let wrong = refused(&[file]);
        assert!(wrong.ends_with("(it holds something else)") && !wrong.contains("hunter2"), "{wrong}");
        std::fs::write(&path, format!("{KEY}\n")).unwrap();
        let settings = read(&[file]).unwrap();
        assert_eq!(settings.operator_key.unwrap().bytes(), [0x11; 32]);
        assert_eq!(settings.operator_key_file.as_deref(), Some(path.as_path()));

        assert_eq!(
            refused(&[file, ("COINSLOT_OPERATOR_KEY", KEY)]),
            format!("COINSLOT_OPERATOR_KEY_FILE is {:?}: expected nothing, because operator_key is set", file.1)
        );
        let zero = format!("0x{}", "0".repeat(64));
        assert_eq!(
            refused(&[("COINSLOT_OPERATOR_KEY", &zero)]),
            "COINSLOT_OPERATOR_KEY is (not shown): expected a private key, 0x and 64 hexadecimal digits"
        );
        assert_eq!(
            refused(&[("COINSLOT_OPERATOR_KEY", KEY), ("COINSLOT_PAY_TO", KEYS_ADDRESS)]),
            format!(
                "COINSLOT_PAY_TO is {KEYS_ADDRESS:?}: expected another address than the operator key's: coins that it is sent for gas would \
                 be booked as payments"
            )
        );
    }

    #[test]
    fn a_checksummed_recipient_is_taken() {
        let settings = read(&[("COINSLOT_PAY_TO", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8")]).unwrap();
        assert_eq!(
            settings.pay_to.map(|address: Address| address.to_string()).as_deref(),
            Some("0x70997970c51812dc3a010c7d01b50e0d17dc79c8")
        );
    }

    #[test]
    fn the_secret_is_made_once_and_for_its_owner_alone() {
        let data = tempfile::tempdir().unwrap();
        let made: Vec<[u8; 32]> = std::thread::scope(|scope| {
            (0..8)
                .map(|_| scope.spawn(|| secret::of(data.path()).unwrap()))
                .collect::<Vec<_>>()
                .into_iter()
                .map(|made| made.join().unwrap())
                .collect()
        });
        assert!(made.iter().all(|secret| *secret == made[0]), "eight at once make one");
        assert_ne!(made[0], [0; 32]);
        assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 1, "no draft is left");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(data.path().join("secret")).unwrap().permissions().mode() & 0o777, 0o600);
        }
        std::fs::write(data.path().join("secret"), "short\n").unwrap();
        assert!(secret::of(data.path()).unwrap_err().to_string().contains("does not hold 64 hexadecimal digits"));
        assert_eq!(std::fs::read_to_string(data.path().join("secret")).unwrap(), "short\n", "what is there is never replaced");
    }
}

/// What `coinslot check` says about tokens.
mod settling {
    use coinslot::{
        card::{Card, Category, Settle},
        server::check::{self, State},
    };
    use tokio::net::TcpListener;

    use super::*;
    use crate::anvil::{
        Anvil,
        proxy::{Fault, Proxy, ten_blocks},
    };

    /// The node's first account, which is rich, and its key, which every such node prints.
    const OPERATOR: (&str, &str) =
        ("COINSLOT_OPERATOR_KEY", "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");

    fn card(price: &'static [&'static str]) -> Card {
        Card {
            slug: "oracle",
            name: "Oracle",
            category: Category::Reading,
            summary: "",
            price,
            time_limit: Duration::from_secs(1),
            version: "1",
            input_max: 1,
            settle: Settle::AfterWork,
            needs: &[],
        }
    }

    /// The lines about settling on that chain, where a token is known.
    async fn lines(anvil: &Anvil, more: &[(&str, &str)], card: &Card) -> Vec<(State, String)> {
        lines_about("settling", anvil, more, card).await
    }

    async fn lines_about(subject: &str, anvil: &Anvil, more: &[(&str, &str)], card: &Card) -> Vec<(State, String)> {
        let folder = tempfile::tempdir().unwrap();
        let token = |key: &str, value: &str| (format!("COINSLOT_NETWORK__LOCAL__TOKEN__USDC__{key}"), value.to_owned());
        let mut env = vec![
            ("COINSLOT_DATA".to_owned(), folder.path().display().to_string()),
            ("COINSLOT_NETWORKS".to_owned(), "local".to_owned()),
            ("COINSLOT_NETWORK__LOCAL__RPC_URLS".to_owned(), anvil.url().to_string()),
            token("ADDRESS", "0x754704Bc059F8C67012fEd69BC8A327a5aafb603"),
            token("NAME", "USDC"),
            token("VERSION", "2"),
            token("DECIMALS", "6"),
            token("EIP3009", "true"),
            token("PERMIT2", "false"),
        ];
        env.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let settings = Settings::read(&Sources { env, ..Sources::default() }).unwrap_or_else(|wrong| panic!("{wrong}"));
        let lines = check::check(&settings, &[card]).await;
        lines.into_iter().filter(|line| line.subject == subject).map(|line| (line.state, line.sentence)).collect()
    }

    #[track_caller]
    fn assert_said(lines: &[(State, String)], state: State, words: &[&str]) {
        let said = |(told, sentence): &(State, String)| *told == state && words.iter().all(|words| sentence.contains(words));
        assert!(lines.iter().any(said), "{state:?} {words:?} in {lines:?}");
    }

    #[tokio::test]
    async fn a_token_that_nobody_settles_is_told_with_what_to_do() {
        let lines = lines(&Anvil::start().await, &[], &card(&["1 MON", "1 USDC"])).await;
        assert_said(
            &lines,
            State::Todo,
            &["USDC on Local chain is not offered", "COINSLOT_OPERATOR_KEY_FILE", "the network's facilitator_url"],
        );
        assert_eq!(lines.len(), 1);
    }

    #[tokio::test]
    async fn s7_the_check_says_what_a_node_does_not_do_and_why() {
        let anvil = Anvil::start().await;
        assert!(lines_about("nodes", &anvil, &[], &card(&["1 MON"])).await.is_empty(), "this one does what others do");
        let proxy = Proxy::before(anvil.url()).await;
        let text = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batch requests are disabled"}}"#;
        proxy.fault(Fault::Narrow { calls: 1, status: 200, text, rewrite: ten_blocks });
        anvil.mine(30).await;
        let urls = proxy.url.to_string();
        let lines = lines_about("nodes", &anvil, &[("COINSLOT_NETWORK__LOCAL__RPC_URLS", &urls)], &card(&["1 MON"])).await;
        assert_said(
            &lines,
            State::Todo,
            &["Local chain", "node 1 of 1 takes no batches", "batch requests are disabled", "one by one"],
        );
        assert_said(&lines, State::Todo, &["the logs of 10 blocks at once", "up to a 10 block range"]);
        assert_eq!(lines.len(), 2);
        let chain = lines_about("chain", &anvil, &[("COINSLOT_NETWORK__LOCAL__RPC_URLS", &urls)], &card(&["1 MON"])).await;
        assert!(chain.iter().all(|(state, _)| *state == State::Ok), "and it is used: {chain:?}");
    }

    #[tokio::test]
    async fn the_operators_coins_are_counted_in_payments() {
        let anvil = Anvil::start().await;
        let dear = card(&["1 MON", "1 USDC"]);
        let rich = lines(&anvil, &[OPERATOR], &dear).await;
        assert_said(
            &rich,
            State::Ok,
            &["USDC on Local chain", "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266", "enough for 100 payments"],
        );
        assert_eq!(rich.len(), 1, "a call is worth more than its gas: {rich:?}");
        let owns = async |coins: &str| {
            anvil.rpc("anvil_setBalance", json!([anvil.account(0), coins])).await;
            lines(&anvil, &[OPERATOR], &dear).await
        };
        // Ten million gas at one to two gwei are 0.01 to 0.02 coins.
        assert_said(&owns("0x2386f26fc10000").await, State::Todo, &["0.01 MON: not enough for 100 payments", "Keep "]);
        assert_said(&owns("0x1").await, State::Bad, &["not enough for the gas of one payment", "Send it "]);
    }

    #[tokio::test]
    async fn a_price_below_its_own_gas_is_told_where_the_operator_pays_it() {
        let anvil = Anvil::start().await;
        let cheap = card(&["0.00000001 MON", "0.001 USDC"]);
        assert_said(
            &lines(&anvil, &[OPERATOR], &cheap).await,
            State::Todo,
            &["settling costs more than the price", "oracle for 0.001 USDC", "sold for 0.00000001 MON"],
        );
        let unknown = lines(&anvil, &[OPERATOR], &card(&["0.001 USDC"])).await;
        assert_eq!(unknown.len(), 1, "what a token is worth, nobody here knows: {unknown:?}");
    }

    #[tokio::test]
    async fn m4_a_clock_that_is_far_from_the_chains_is_told() {
        let cheap = card(&["0.0001 MON"]);
        // The chain's clock, in seconds beside ours.
        let told = async |apart: i64| {
            let at = (coinslot::x402::desk::now_ms() / 1000 + apart).to_string();
            let anvil = Anvil::start_with(&["--timestamp", &at, "--block-time", "0.2"]).await;
            lines_about("clock", &anvil, &[], &cheap).await
        };
        let fine = told(0).await;
        assert_said(&fine, State::Ok, &["this machine's clock agrees with the newest block of Local chain"]);
        assert_eq!(fine.len(), 1);
        assert_said(
            &told(-60).await,
            State::Todo,
            &["clock is ", " s ahead of the newest block of Local chain", "NTP", "rpc_urls"],
        );
        assert_said(&told(60).await, State::Todo, &["clock is ", " s behind the newest block of Local chain", "NTP"]);
        let anvil = Anvil::start().await;
        let away = [("COINSLOT_NETWORK__LOCAL__RPC_URLS", "http://127.0.0.1:1")];
        assert_eq!(lines_about("clock", &anvil, &away, &cheap).await, [], "whose node is away is said once");
    }

    /// As somebody starts it on a machine whose clock is wrong.
    #[tokio::test]
    async fn m4_a_clock_that_is_far_from_the_chains_is_told_at_the_start() {
        use tokio::io::{AsyncBufReadExt, BufReader};
        let at = (coinslot::x402::desk::now_ms() / 1000 - 60).to_string();
        let anvil = Anvil::start_with(&["--timestamp", &at, "--block-time", "0.2"]).await;
        let folder = tempfile::tempdir().unwrap();
        let mut shop = tokio::process::Command::new(env!("CARGO_BIN_EXE_coinslot"))
            .args(["serve", "--addr", "127.0.0.1:0", "--data"])
            .arg(folder.path())
            .env("COINSLOT_NETWORKS", "local")
            .env("COINSLOT_NETWORK__LOCAL__RPC_URLS", anvil.url().as_str())
            .env("COINSLOT_PAY_TO", format!("0x{}", "50".repeat(20)))
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(shop.stderr.take().unwrap()).lines();
        let warned = async {
            while let Some(line) = said.next_line().await.unwrap() {
                if line.contains("ahead of the newest block of Local chain") && line.contains("NTP") {
                    return true;
                }
            }
            false
        };
        assert!(tokio::time::timeout(crate::anvil::PATIENCE, warned).await.expect("it is told"), "the shop has closed");
        shop.kill().await.unwrap();
    }

    #[tokio::test]
    async fn m8_gas_that_is_dearer_than_is_signed_for_is_told() {
        let anvil = Anvil::start().await;
        let cheap = card(&["0.00000001 MON", "0.001 USDC"]);
        let most = |gwei: &'static str| [OPERATOR, ("COINSLOT_NETWORK__LOCAL__GAS_PRICE_MAX_GWEI", gwei)];
        let told = lines(&anvil, &most("1"), &cheap).await;
        assert_said(
            &told,
            State::Bad,
            &[
                "USDC on Local chain",
                "gwei for gas, and 1 are signed for at most, so tokens wait",
                "gas_price_max_gwei",
                "rpc_urls",
            ],
        );
        let fine = lines(&anvil, &most("1000"), &cheap).await;
        assert!(fine.iter().all(|(_, sentence)| !sentence.contains("are signed for at most")), "{fine:?}");
    }

    #[tokio::test]
    async fn a_token_that_is_something_else_on_the_chain_is_told() {
        let anvil = Anvil::start().await;
        let told = lines_about("token", &anvil, &[OPERATOR], &card(&["0.0001 MON"])).await;
        assert_said(&told, State::Bad, &["USDC", "is not what the settings say", "correct its address"]);
        assert_eq!(lines_about("token", &anvil, &[], &card(&["0.0001 MON"])).await, [], "nobody settles it");
    }

    fn kinds(network: &str) -> Json<Value> {
        Json(json!({ "kinds": [{ "x402Version": 2, "scheme": "exact", "network": network }], "signers": {} }))
    }

    #[tokio::test]
    async fn a_facilitator_is_asked_what_it_settles() {
        let anvil = Anvil::start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/s3cret/here/supported", get(async || kinds("eip155:31337")))
            .route("/s3cret/elsewhere/supported", get(async || kinds("eip155:8453")));
        let served = tokio::spawn(async { axum::serve(listener, router).await });
        let cheap = card(&["0.00000001 MON", "0.001 USDC"]);
        for (path, state, words) in [
            ("/s3cret/here", State::Ok, "by the facilitator at"),
            ("/s3cret/here/", State::Ok, "by the facilitator at"),
            ("/s3cret/elsewhere", State::Bad, "does not settle on eip155:31337"),
            ("/s3cret/nowhere", State::Bad, "does not answer"),
        ] {
            let url = format!("{place}{path}");
            let told = lines(&anvil, &[OPERATOR, ("COINSLOT_NETWORK__LOCAL__FACILITATOR_URL", &url)], &cheap).await;
            assert_said(&told, state, &[words, &place]);
            assert_eq!(told.len(), 1, "its gas is not the operator's: {told:?}");
            assert!(!told[0].1.contains("s3cret"), "its path may be a key: {told:?}");
        }
        served.abort();
        let gone = lines(&anvil, &[("COINSLOT_NETWORK__LOCAL__FACILITATOR_URL", "http://127.0.0.1:1")], &cheap).await;
        assert_said(&gone, State::Bad, &["does not answer", "correct facilitator_url"]);
    }
}

mod assets {
    use super::*;

    const WASM: &[u8] = b"\0asm plain";

    fn site() -> Site {
        let files: [(&str, &'static [u8]); 8] = [
            ("pkg/coinslot.wasm", WASM),
            ("pkg/coinslot.wasm.br", b"brotli"),
            ("pkg/coinslot.wasm.gz", b"gzipped"),
            ("pkg/coinslot.js", b"export default 1"),
            ("pkg/coinslot.css", b"a{}"),
            ("pkg/snippets/x.js", b"export {}"),
            ("robots.txt", b"User-agent: *"),
            ("alone.gz", b"no plain form"),
        ];
        Site::new(files.map(|(path, bytes)| (path.to_owned(), bytes.into())))
    }

    fn ask(site: &Site, method: Method, path: &str, headers: &[(header::HeaderName, &str)]) -> Response<Body> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect::<HeaderMap>();
        site.answer(&method, path, &headers).unwrap_or_else(|| panic!("{path} is there"))
    }

    #[tokio::test]
    async fn a_hashed_name_is_kept_for_ever_and_a_plain_one_asked_for_again() {
        let site = site();
        let urls = site.assets(false);
        // sha256 of the plain form, the first eight bytes
        let hash = urls.wasm.strip_prefix("/pkg/coinslot.").and_then(|name| name.strip_suffix(".wasm")).unwrap();
        assert!(hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()), "{}", urls.wasm);
        for (url, kind) in [
            (&urls.js, "text/javascript; charset=utf-8"),
            (&urls.wasm, "application/wasm"),
            (&urls.css, "text/css; charset=utf-8"),
        ] {
            let answer = ask(&site, Method::GET, url, &[]);
            assert_eq!(answer.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable", "{url}");
            assert_eq!(answer.headers()[header::CONTENT_TYPE], kind);
        }
        for plain in ["/pkg/coinslot.wasm", "/pkg/snippets/x.js", "/robots.txt", "/alone.gz"] {
            assert_eq!(ask(&site, Method::GET, plain, &[]).headers()[header::CACHE_CONTROL], "no-cache", "{plain}");
        }
        let answer = ask(&site, Method::GET, &urls.wasm, &[]);
        assert_eq!(to_bytes(answer.into_body(), 100).await.unwrap(), WASM);
        for nothing in
            ["/pkg/coinslot.0000000000000000.wasm", "/pkg/coinslot.wasm.br", "/", "", "/pkg", "/../Cargo.toml", "/robots.txt/"]
        {
            assert!(site.answer(&Method::GET, nothing, &HeaderMap::new()).is_none(), "{nothing}");
        }
        assert!(site.is_complete());
        assert!(!Site::new([]).is_complete());
    }

    #[tokio::test]
    async fn another_content_has_another_name() {
        let other = Site::new([("pkg/coinslot.wasm".to_owned(), b"another".as_slice().into())]);
        assert_ne!(site().assets(false).wasm, other.assets(false).wasm);
    }

    #[tokio::test]
    async fn the_compressed_form_is_sent_to_who_takes_it() {
        let site = site();
        for (accept, encoding, body) in
            [("br, gzip", Some("br"), b"brotli".as_slice()), ("gzip", Some("gzip"), b"gzipped"), ("br;q=0", None, WASM)]
        {
            let answer = ask(&site, Method::GET, "/pkg/coinslot.wasm", &[(header::ACCEPT_ENCODING, accept)]);
            let said = answer.headers().get(header::CONTENT_ENCODING).map(|encoding| encoding.to_str().unwrap().to_owned());
            assert_eq!(said.as_deref(), encoding, "{accept}");
            assert_eq!(answer.headers()[header::VARY], "accept-encoding");
            assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/wasm");
            assert_eq!(to_bytes(answer.into_body(), 100).await.unwrap(), body);
        }
        let plain = ask(&site, Method::GET, "/robots.txt", &[(header::ACCEPT_ENCODING, "br")]);
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING) && !plain.headers().contains_key(header::VARY));
    }

    #[tokio::test]
    async fn what_the_browser_has_is_not_sent_again() {
        let site = site();
        let accept = (header::ACCEPT_ENCODING, "br");
        let tag = ask(&site, Method::GET, "/pkg/coinslot.wasm", std::slice::from_ref(&accept)).headers()[header::ETAG]
            .to_str()
            .unwrap()
            .to_owned();
        for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
            let answer = ask(&site, Method::GET, "/pkg/coinslot.wasm", &[accept.clone(), (header::IF_NONE_MATCH, &known)]);
            assert_eq!(answer.status(), StatusCode::NOT_MODIFIED, "{known}");
            assert_eq!(answer.headers()[header::ETAG], tag.as_str());
            assert!(to_bytes(answer.into_body(), 100).await.unwrap().is_empty());
        }
        // The plain form is another representation.
        let answer = ask(&site, Method::GET, "/pkg/coinslot.wasm", &[(header::IF_NONE_MATCH, &tag)]);
        assert_eq!(answer.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn head_is_get_without_the_body_and_nothing_else_is_taken() {
        let site = site();
        let answer = ask(&site, Method::HEAD, "/pkg/coinslot.wasm", &[]);
        assert_eq!(answer.headers()[header::CONTENT_LENGTH], WASM.len().to_string().as_str());
        assert!(to_bytes(answer.into_body(), 100).await.unwrap().is_empty());
        let answer = ask(&site, Method::POST, "/robots.txt", &[]);
        assert_eq!(
            (answer.status(), answer.headers()[header::ALLOW].to_str().unwrap()),
            (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD")
        );
    }
}

mod layers {
    use super::*;

    const ORIGIN: &str = "https://shop.example";

    const GENEROUS: Limits = Limits { pages: Quota::NONE, api: Quota::NONE, sign_in: Quota::NONE };

    fn inside() -> Router {
        let long = "words ".repeat(1000);
        Router::new()
            .route("/", get(|| async { axum::response::Html("<p>hello") }))
            .route("/long", get(move || async { axum::response::Html(long) }))
            .route(
                "/panic",
                get(|| async {
                    if true {
                        panic!("a secret")
                    }
                }),
            )
            .route("/api/echo", post(|body: Bytes| async move { body.len().to_string() }).get(|| async { Json(json!({})) }))
            .route("/api/session", post(|| async { "in" }).delete(|| async { "out" }))
            .route("/api/kept", get(|| async { ([(header::CACHE_CONTROL, "private")], "kept") }))
            .route("/slow", get(slow))
    }

    /// A page of which half is there at once and the rest never comes.
    async fn slow() -> Response<Body> {
        let first = stream::iter([Ok::<_, std::convert::Infallible>("first ".repeat(400))]);
        Response::builder()
            .header(header::CONTENT_TYPE, "text/html")
            .body(Body::from_stream(first.chain(stream::pending())))
            .unwrap()
    }

    fn shop(limits: Limits, proxies: &[&str]) -> Router {
        protected(inside(), ORIGIN, Doorkeeper::new(limits, proxies.iter().map(|range| range.parse().unwrap()).collect()))
    }

    fn from(peer: &str, request: axum::http::request::Builder) -> Request<Body> {
        let peer: SocketAddr = format!("{peer}:1234").parse().unwrap();
        request.extension(ConnectInfo(peer)).body(Body::empty()).unwrap()
    }

    async fn body(answer: Response<Body>) -> Value {
        serde_json::from_slice(&to_bytes(answer.into_body(), 10_000).await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn who_asks_too_often_waits_and_nobody_else_does() {
        let limits = Limits { api: Quota::per_second(1, 3), ..GENEROUS };
        let shop = shop(limits, &["10.0.0.0/8"]);
        let ask = |peer: &'static str, forwarded: &'static str| {
            let request = Request::get("/api/echo").header("x-forwarded-for", forwarded);
            shop.clone().oneshot(from(peer, request))
        };
        for _ in 0..3 {
            assert_eq!(ask("192.0.2.1", "198.51.100.1").await.unwrap().status(), StatusCode::OK);
        }
        let answer = ask("192.0.2.1", "198.51.100.2").await.unwrap(); // nobody believes its header
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.headers()[header::RETRY_AFTER], "1");
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "private, no-store");
        let told = body(answer).await;
        assert_eq!((&told["code"], &told["retry"]), (&json!("rate_limited"), &json!("same_payment")));
        assert!((1..=1000).contains(&told["retryAfterMs"].as_u64().unwrap()));
        assert_eq!(ask("192.0.2.2", "").await.unwrap().status(), StatusCode::OK, "a neighbour");
        // Behind the proxy each visitor has his own.
        for _ in 0..3 {
            assert_eq!(ask("10.0.0.1", "198.51.100.3").await.unwrap().status(), StatusCode::OK);
        }
        assert_eq!(ask("10.0.0.1", "198.51.100.3").await.unwrap().status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(ask("10.0.0.1", "198.51.100.4").await.unwrap().status(), StatusCode::OK);
        let page = shop.clone().oneshot(from("192.0.2.1", Request::get("/"))).await.unwrap();
        assert_eq!(page.status(), StatusCode::OK, "pages have their own limit");
    }

    #[tokio::test]
    async fn sign_ins_have_a_limit_of_their_own() {
        let shop = shop(Limits { sign_in: Quota::per_minute(1, 2), ..GENEROUS }, &[]);
        let sign_in = || {
            shop.clone().oneshot(from(
                "2001:db8::1".parse::<std::net::IpAddr>().map(|_| "[2001:db8::1]").unwrap(),
                Request::post("/api/session"),
            ))
        };
        assert_eq!(sign_in().await.unwrap().status(), StatusCode::OK);
        assert_eq!(sign_in().await.unwrap().status(), StatusCode::OK);
        let answer = sign_in().await.unwrap();
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        let same_64 = shop.clone().oneshot(from("[2001:db8::ffff]", Request::post("/api/session"))).await.unwrap();
        assert_eq!(same_64.status(), StatusCode::TOO_MANY_REQUESTS);
        let elsewhere = shop.clone().oneshot(from("[2001:db8::1]", Request::post("/api/echo"))).await.unwrap();
        assert_eq!(elsewhere.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn another_sites_page_changes_nothing() {
        let shop = shop(GENEROUS, &[]);
        let ask = |request: axum::http::request::Builder| shop.clone().oneshot(from("192.0.2.1", request));
        let refused = ask(Request::post("/api/session").header("origin", "https://evil.example")).await.unwrap();
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        assert_eq!(body(refused).await["code"], "cross_site");
        for request in [
            Request::delete("/api/session").header("cookie", "a=b").header("sec-fetch-site", "cross-site"),
            Request::post("/api/echo").header("cookie", "a=b").header("sec-fetch-site", "same-site"),
            Request::post("/api/echo").header("cookie", "a=b"),
        ] {
            assert_eq!(ask(request).await.unwrap().status(), StatusCode::FORBIDDEN);
        }
        for request in [
            Request::post("/api/session").header("origin", ORIGIN),
            Request::delete("/api/session").header("cookie", "a=b").header("sec-fetch-site", "same-origin"),
            Request::post("/api/echo").header("origin", "https://evil.example"),
            Request::post("/api/session"),
        ] {
            assert_eq!(ask(request).await.unwrap().status(), StatusCode::OK);
        }
    }

    #[tokio::test]
    async fn every_answer_carries_its_headers() {
        let shop = shop(GENEROUS, &[]);
        let refused = Request::post("/api/session").header("origin", "null");
        for (request, kept) in [
            (Request::get("/"), Some("private, no-cache")),
            (Request::get("/api/echo"), Some("no-store")),
            (Request::get("/api/kept"), Some("private")),
            (Request::get("/nothing"), None),
            (refused, Some("private, no-store")),
        ] {
            let answer = shop.clone().oneshot(from("192.0.2.1", request)).await.unwrap();
            let headers = answer.headers();
            assert_eq!(headers.get(header::CACHE_CONTROL).map(|value| value.to_str().unwrap()), kept);
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "strict-origin-when-cross-origin"),
                ("cross-origin-opener-policy", "same-origin-allow-popups"),
                ("strict-transport-security", "max-age=31536000"),
            ] {
                assert_eq!(headers[name], value);
            }
            assert!(headers.contains_key("permissions-policy"));
            let is_page = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/html; charset=utf-8");
            assert_eq!(headers.contains_key(header::CONTENT_SECURITY_POLICY), !is_page, "a page brings its own");
        }
        let on_loopback = protected(inside(), "http://127.0.0.1:4020", Doorkeeper::new(GENEROUS, Vec::new()));
        let answer = on_loopback.oneshot(from("127.0.0.1", Request::get("/"))).await.unwrap();
        assert!(!answer.headers().contains_key("strict-transport-security"));
    }

    #[tokio::test]
    async fn a_panic_is_a_500_that_tells_nothing() {
        let answer = shop(GENEROUS, &[]).oneshot(from("192.0.2.1", Request::get("/panic"))).await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        let told = body(answer).await;
        assert_eq!(told["code"], "internal");
        assert!(!told.to_string().contains("a secret"));
    }

    #[tokio::test]
    async fn a_body_has_an_end() {
        let shop = shop(GENEROUS, &[]);
        let declared = Request::post("/api/echo").header(header::CONTENT_LENGTH, (BODY_MAX + 1).to_string());
        let answer = shop.clone().oneshot(from("192.0.2.1", declared)).await.unwrap();
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(body(answer).await["code"], "too_large");
        let pieces = stream::repeat_with(|| Ok::<_, std::convert::Infallible>(Bytes::from_static(&[0; 65_536]))).take(64);
        let endless = Request::post("/api/echo").body(Body::from_stream(pieces)).unwrap();
        assert_eq!(shop.oneshot(endless).await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn pages_are_compressed_and_flushed_as_they_come() {
        let shop = shop(GENEROUS, &[]);
        let ask = |path: &str, accept: &str| {
            shop.clone().oneshot(from("192.0.2.1", Request::get(path).header(header::ACCEPT_ENCODING, accept)))
        };
        assert_eq!(ask("/long", "br").await.unwrap().headers()[header::CONTENT_ENCODING], "br");
        assert_eq!(ask("/long", "gzip").await.unwrap().headers()[header::CONTENT_ENCODING], "gzip");
        assert!(!ask("/", "br").await.unwrap().headers().contains_key(header::CONTENT_ENCODING), "too small to be worth it");
        for accept in ["br", "gzip"] {
            let answer = ask("/slow", accept).await.unwrap();
            assert_eq!(answer.headers()[header::CONTENT_ENCODING], accept);
            let mut pieces = answer.into_body().into_data_stream();
            let mut got = 0;
            // A compressor's header alone says nothing yet.
            while got < 16 {
                let piece = tokio::time::timeout(Duration::from_secs(5), pieces.next()).await;
                got += piece.unwrap_or_else(|_| panic!("{accept} holds the first half back")).unwrap().unwrap().len();
            }
        }
    }
}

mod listening {
    use std::sync::Arc;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        sync::Notify,
    };
    use tokio_util::sync::CancellationToken;

    use super::*;
    use coinslot::server::listen::listen;

    /// What is under way when the shop closes is answered; nothing new begins.
    #[tokio::test]
    async fn closing_waits_for_what_is_under_way() {
        let (entered, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (told, waits) = (entered.clone(), go_on.clone());
        let router = Router::new().route(
            "/",
            get(move |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move {
                told.notify_one();
                waits.notified().await;
                format!("done for {}", peer.ip())
            }),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = tokio::spawn(listen(listener, router, stop.clone()));

        let mut connection = TcpStream::connect(address).await.unwrap();
        let idle = TcpStream::connect(address).await.unwrap();
        connection.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
        entered.notified().await;
        stop.cancel();
        // Once it refuses newcomers, it is closing.
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        go_on.notify_one();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done for 127.0.0.1"), "{answer}");
        tokio::time::timeout(Duration::from_secs(5), served).await.expect("an idle connection keeps nothing open").unwrap();
        drop(idle);
    }
}
