//! Against servers on loopback. The test's own net lets through exactly the addresses of its servers; all else is judged by the real rules.

use std::{
    collections::{HashMap, HashSet},
    io,
    net::SocketAddr,
    sync::Mutex,
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use url::Url;

use super::{
    FetchError, Internet, Net,
    body::BodyError,
    fetch,
    guard::{self, Wrong},
    within,
};

/// A server that answers each path with the bytes that it was given, and counts who came.
struct TestServer {
    address: SocketAddr,
    asked: std::sync::Arc<Mutex<Vec<String>>>,
}

impl TestServer {
    async fn answering(answers: &[(&str, Vec<u8>)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        let answers: HashMap<String, Vec<u8>> = answers.iter().map(|(path, answer)| ((*path).to_owned(), answer.clone())).collect();
        let asked = std::sync::Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (answers, seen) = (answers.clone(), seen.clone());
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") && stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {}
                    let request = String::from_utf8_lossy(&request).into_owned();
                    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                    seen.lock().expect("one at a time").push(request);
                    match answers.get(&path) {
                        Some(answer) => drop(stream.write_all(answer).await),
                        None => std::future::pending::<()>().await, // it never answers
                    }
                });
            }
        });
        Self { address, asked }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("one at a time").clone()
    }
}

/// The real rules, but for exactly these test servers. Names are what the test says they are, each time anew.
#[derive(Default)]
struct WithTestServers {
    servers: HashSet<SocketAddr>,
    names: Mutex<HashMap<String, Vec<Vec<SocketAddr>>>>,
}

impl WithTestServers {
    fn and(servers: &[&TestServer]) -> Self {
        Self { servers: servers.iter().map(|server| server.address).collect(), names: Mutex::default() }
    }

    /// What the name's first look-up says, its second, and so on.
    fn named(self, name: &str, answers: Vec<Vec<SocketAddr>>) -> Self {
        self.names.lock().expect("one at a time").insert(format!("{name}."), answers);
        self
    }
}

impl Net for WithTestServers {
    fn admit(&self, url: &str) -> Result<Url, Wrong> {
        let web = guard::web_url(url)?;
        let port = web.port_or_known_default().unwrap_or_default();
        let is_theirs = self.servers.iter().any(|server| server.port() == port);
        match web.host() {
            Some(url::Host::Ipv4(ip)) if self.servers.contains(&SocketAddr::new(ip.into(), port)) => Ok(web),
            Some(url::Host::Domain(name)) if is_theirs => guard::public_url(&format!("http://{name}/")).map(|_| web.clone()),
            _ => guard::public_url(url),
        }
    }

    async fn look_up(&self, name: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        let mut names = self.names.lock().expect("one at a time");
        let answers = names.get_mut(name).filter(|answers| !answers.is_empty()).ok_or(io::ErrorKind::NotFound)?;
        Ok(answers.remove(0))
    }

    fn may_connect(&self, to: SocketAddr) -> bool {
        self.servers.contains(&to) || Internet.may_connect(to)
    }
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn html(body: &str) -> Vec<u8> {
    answer("200 OK", "content-type: text/html; charset=utf-8\r\n", body.as_bytes())
}

fn to(location: &str) -> Vec<u8> {
    answer("302 Found", &format!("location: {location}\r\n"), b"")
}

fn zipped(body: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    io::Write::write_all(&mut packer, body).expect("memory");
    packer.finish().expect("memory")
}

#[tokio::test]
async fn a_page_comes_with_the_address_that_it_was_found_at() {
    let server = TestServer::answering(&[
        ("/a", to("/b?c#d")),
        ("/b?c", html("<p>café</p>")),
        ("/plain", answer("200 OK", "content-type: text/plain; charset=ISO-8859-1\r\n", b"caf\xe9")),
        ("/zipped", answer("200 OK", "content-type: text/html\r\ncontent-encoding: gzip\r\n", &zipped("<p>café</p>".as_bytes()))),
    ])
    .await;
    let net = WithTestServers::and(&[&server]);
    let page = fetch(&server.url("/a"), &net).await.expect("a page");
    assert_eq!((page.html.as_str(), page.url.as_deref(), page.is_plain), ("<p>café</p>", Some(server.url("/b?c#d").as_str()), false));
    let plain = fetch(&server.url("/plain"), &net).await.expect("a page");
    assert_eq!((plain.html.as_str(), plain.is_plain), ("café", true));
    assert_eq!(fetch(&server.url("/zipped"), &net).await.map(|page| page.html).as_deref(), Ok("<p>café</p>"));
    let asked = server.asked();
    assert!(asked.iter().all(|request| !request.to_lowercase().contains("cookie") && !request.to_lowercase().contains("referer")), "{asked:?}");
}

#[tokio::test]
async fn o11_a_redirect_into_the_private_network_is_refused_and_never_asked() {
    let (inside, other) = (TestServer::answering(&[("/", html("secret"))]).await, inside_names());
    for target in [inside.url("/"), inside.url("/").replace("127.0.0.1", "2130706433"), inside.url("/").replace("127.0.0.1", "[::ffff:127.0.0.1]")]
        .into_iter()
        .chain(other)
    {
        let outside = TestServer::answering(&[("/", to(&target))]).await;
        // Only the first server is let through.
        let net = WithTestServers::and(&[&outside]);
        let why = fetch(&outside.url("/"), &net).await.expect_err(&target);
        assert!(matches!(why, FetchError::Refused(_)), "{target}: {why:?}");
        assert!(why.is_final());
    }
    assert_eq!(inside.asked(), Vec::<String>::new());
}

fn inside_names() -> Vec<String> {
    ["http://localhost/", "http://169.254.169.254/latest/meta-data/", "http://[::1]/", "file:///etc/passwd", "http://a@example.org/", "http://10.0.0.1:8080/", "//192.168.1.1/", "gopher://example.org/"]
        .map(str::to_owned)
        .to_vec()
}

#[tokio::test]
async fn o11_a_name_of_a_private_address_is_refused() {
    let inside = TestServer::answering(&[("/", html("secret"))]).await;
    let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
    for ip in ["127.0.0.1:80", "10.0.0.7:80", "169.254.169.254:80", "[::1]:80", "[::ffff:127.0.0.1]:80", "[fd00:ec2::254]:80", "100.64.0.1:80"] {
        let net = WithTestServers::default().named("public.example", vec![vec![address(ip)]]);
        let why = fetch("http://public.example/", &net).await.expect_err(ip);
        assert_eq!(why, FetchError::Refused(Wrong::Private(address(ip).ip().to_canonical())), "{ip}");
    }
    assert_eq!(inside.asked(), Vec::<String>::new());
}

/// The name says one thing when it is checked and would say another when it is connected to: it is asked once, and what it said is used.
#[tokio::test]
async fn o11_the_connection_goes_to_the_address_that_was_checked() {
    let (seen, hidden) =
        (TestServer::answering(&[("/", html("checked"))]).await, TestServer::answering(&[("/", html("secret"))]).await);
    let net = WithTestServers::and(&[&seen]).named("rebound.example", vec![vec![hidden.address, seen.address], vec![hidden.address]]);
    let url = format!("http://rebound.example:{}/", seen.address.port());
    let page = fetch(&url, &net).await.expect("a page");
    assert_eq!((page.html.as_str(), hidden.asked().len()), ("checked", 0));
    assert!(seen.asked()[0].contains("host: rebound.example") || seen.asked()[0].contains("Host: rebound.example"), "{:?}", seen.asked());
    let again = fetch(&url, &net).await.expect_err("the second look-up says something else");
    assert!(matches!(again, FetchError::Refused(Wrong::Private(_))), "{again:?}");
    assert_eq!(hidden.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_failure_says_what_the_page_did() {
    let server = TestServer::answering(&[
        ("/gone", answer("404 Not Found", "", b"no")),
        ("/busy", answer("503 Service Unavailable", "", b"no")),
        ("/image", answer("200 OK", "content-type: image/png\r\n", b"no")),
        ("/nothing", answer("200 OK", "", b"<p>what am I?")),
        ("/nowhere", answer("302 Found", "", b"")),
        ("/round", to("/round")),
        ("/brotli", answer("200 OK", "content-type: text/html\r\ncontent-encoding: br\r\n", b"no")),
        ("/broken", answer("200 OK", "content-type: text/html\r\ncontent-encoding: gzip\r\n", b"no gzip at all")),
        ("/half", html("half of it").into_iter().rev().skip(5).collect::<Vec<_>>().into_iter().rev().collect()),
    ])
    .await;
    let net = WithTestServers::and(&[&server]);
    for (path, words, is_final) in [
        ("/gone", "the page answered 404 (Not Found).", true),
        ("/busy", "the page answered 503 (Service Unavailable).", false),
        ("/image", "this is no page but image/png. HTML and plain text are read.", true),
        ("/nothing", "this is no page but something that does not say what it is. HTML and plain text are read.", true),
        ("/nowhere", "the page leads on, and does not say where.", true),
        ("/round", "the page leads on more than 4 times.", true),
        ("/brotli", "the page is packed in a way that we do not read (br).", true),
        ("/broken", "the page is packed, and broken.", true),
        ("/half", "the page stopped coming half-way.", false),
    ] {
        let why = fetch(&server.url(path), &net).await.expect_err(path);
        assert_eq!((why.to_string().as_str(), why.is_final()), (words, is_final), "{path}");
    }
    assert_eq!(server.asked().iter().filter(|request| request.starts_with("GET /round")).count(), 5);
    let unknown = fetch("http://nobody.example/", &net).await.expect_err("no such name");
    assert_eq!(unknown.to_string(), "nobody knows the name nobody.example.");
}

#[tokio::test]
async fn o11_a_page_without_end_is_left_at_the_bound() {
    let endless = vec![b'x'; 3 * 1024 * 1024];
    let bomb = zipped(&vec![b' '; 64 * 1024 * 1024]);
    let server = TestServer::answering(&[
        ("/endless", html(&String::from_utf8_lossy(&endless))),
        ("/bomb", answer("200 OK", "content-type: text/html\r\ncontent-encoding: gzip\r\n", &bomb)),
    ])
    .await;
    let net = WithTestServers::and(&[&server]);
    for path in ["/endless", "/bomb"] {
        assert_eq!(fetch(&server.url(path), &net).await.map(|page| page.html.len()), Err(BodyError::TooLarge.into()), "{path}");
    }
}

#[tokio::test]
async fn o11_a_page_that_never_answers_is_given_up() {
    let server = TestServer::answering(&[]).await;
    let net = WithTestServers::and(&[&server]);
    let began = Instant::now();
    let why = within(Duration::from_millis(300), &server.url("/never"), &net).await.expect_err("nothing comes");
    assert_eq!(why, FetchError::TooSlow("127.0.0.1".to_owned()));
    assert!(began.elapsed() < Duration::from_secs(5) && !why.is_final());
}

/// A proxy of the machine's own would connect for us, and to whom we did not check. The environment is the process's: another one has it.
#[tokio::test]
async fn o11_the_machine_s_proxy_is_not_used() {
    let proxy = TestServer::answering(&[]).await;
    let this = std::env::current_exe().expect("this test");
    let ended = tokio::process::Command::new(this)
        .args(["a_page_comes_with_the_address_that_it_was_found_at", "--test-threads=1"])
        .envs(["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"].map(|name| (name, proxy.url("/"))))
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .output()
        .await
        .expect("it starts");
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(proxy.asked(), Vec::<String>::new());
}
