//! Is anybody there, at the database's address? Asked once, before a pool is made: a pool tries again and again, and says in the end that it waited.

use std::{io, str::FromStr, time::Duration};

use sqlx::{ConnectOptions, Connection, any::AnyConnectOptions, postgres::PgConnectOptions};

use super::{
    fit,
    store::{BooksError, Kind, Result},
};

/// For the first connection.
const TIME_MAX: Duration = Duration::from_secs(5);

/// Connects once to PostgreSQL. A server that answers, whatever it says, is there.
///
/// # Errors
/// [`BooksError::Away`], with the address that was tried, at once where it refuses.
pub(super) async fn reach(kind: Kind, url: &str) -> Result<()> {
    if kind == Kind::Sqlite {
        return Ok(());
    }
    let options: AnyConnectOptions = url.parse()?;
    match tokio::time::timeout(TIME_MAX, options.connect()).await {
        Ok(Ok(connection)) => {
            // It was only to see that it can be made.
            let _ = connection.close().await;
            Ok(())
        }
        Ok(Err(cause @ (sqlx::Error::Io(_) | sqlx::Error::Tls(_)))) => Err(away(url, cause)),
        // It may be starting up: the pool waits for that. What else is wrong, the pool is told as well.
        Ok(Err(_)) => Ok(()),
        Err(_) => Err(away(url, sqlx::Error::PoolTimedOut)),
    }
}

/// An error of the first connection, with the address, where nobody is there.
pub(super) fn away(url: &str, cause: sqlx::Error) -> BooksError {
    let cause = match cause {
        sqlx::Error::Io(cause) if cause.kind() == io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        sqlx::Error::Io(cause) => cause.to_string(),
        sqlx::Error::Tls(cause) => format!("no TLS: {cause}"),
        sqlx::Error::PoolTimedOut => "no connection in time".to_owned(),
        other => return fit::named_pooler(other),
    };
    BooksError::Away { place: place(url), cause }
}

/// Host and port, or the socket: neither user nor password.
fn place(url: &str) -> String {
    let Ok(options) = PgConnectOptions::from_str(url) else { return "the address of database_url".to_owned() };
    let (host, port) = (options.get_host(), options.get_port());
    match options.get_socket().and_then(|socket| socket.to_str()).or(Some(host).filter(|host| host.starts_with('/'))) {
        Some(folder) => format!("{folder}/.s.PGSQL.{port}"),
        None if host.contains(':') && !host.starts_with('[') => format!("[{host}]:{port}"),
        None => format!("{host}:{port}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn s8_who_refuses_is_told_at_once_and_without_the_password() {
        sqlx::any::install_default_drivers();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let url = format!("postgres://shop:hunter22@{free}/shop");
        let told = reach(Kind::Postgres, &url).await.unwrap_err();
        assert_eq!(told.to_string(), format!("the database at {free} cannot be reached: connection refused"));
        assert!(!format!("{told:?}").contains("hunter22"));
    }

    #[test]
    fn s8_the_place_is_a_host_and_a_port_or_a_socket() {
        assert_eq!(place("postgres://shop:hunter22@db.example:5433/shop?sslmode=require"), "db.example:5433");
        assert_eq!(place("postgres://shop:hunter22@[::1]:5433/shop"), "[::1]:5433");
        assert_eq!(place("postgres://shop@localhost/shop?host=/run/postgresql"), "/run/postgresql/.s.PGSQL.5432");
    }
}
