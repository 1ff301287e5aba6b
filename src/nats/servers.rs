use std::fmt;

use async_nats::{ConnectOptions, ServerAddr};

use crate::invalid_setting::InvalidSetting;

/// The servers of a URL, and how to log in there.
pub(crate) struct Servers {
    /// Without credentials, so that no log of the client shows them.
    pub(crate) addresses: Vec<ServerAddr>,
    pub(crate) tls: bool,
    login: Option<Login>,
}

#[derive(PartialEq, Eq)]
enum Login {
    Password { user: String, password: String },
    Token(String),
}

impl Servers {
    pub(crate) fn parse(url: &str) -> Result<Self, InvalidSetting> {
        let mut servers = Self {
            addresses: Vec::new(),
            tls: false,
            login: None,
        };
        for text in url.split(',').map(str::trim) {
            servers.add(text)?;
        }
        Ok(servers)
    }

    fn add(&mut self, text: &str) -> Result<(), InvalidSetting> {
        // The parser's own error may show the text, and with it a password.
        let address: ServerAddr = text
            .parse()
            .map_err(|_| invalid("is no URL; write it as nats://HOST:4222 or tls://HOST:4222"))?;
        let login = Login::of(&address)?;
        let mut address = address.into_inner();
        if !["nats", "tls"].contains(&address.scheme()) || !text.contains("://") {
            return Err(invalid(
                "has another scheme than nats:// or tls://; write it as nats://HOST:4222 or tls://HOST:4222",
            ));
        }
        if address.host_str().is_none_or(str::is_empty) {
            return Err(invalid(
                "names no host; write it as nats://HOST:4222 or tls://HOST:4222",
            ));
        }
        if !["", "/"].contains(&address.path()) || address.query().is_some() || address.fragment().is_some() {
            return Err(invalid(
                "has a path or a query; other settings have methods of their own, so leave it out",
            ));
        }
        if address.set_username("").is_err() || address.set_password(None).is_err() {
            return Err(invalid("has credentials that can't be read"));
        }
        match (&self.login, login) {
            (Some(one), Some(other)) if *one != other => {
                return Err(invalid(
                    "names two users; servers of one cluster have the same, so write it once",
                ));
            }
            (None, Some(login)) => self.login = Some(login),
            _ => {}
        }
        self.tls |= address.scheme() == "tls";
        let address = ServerAddr::from_url(address).map_err(|_| invalid("is no URL of a NATS server"))?;
        self.addresses.push(address);
        Ok(())
    }

    pub(crate) fn has_login(&self) -> bool {
        self.login.is_some()
    }

    pub(crate) fn log_in(&self, options: ConnectOptions) -> ConnectOptions {
        match &self.login {
            None => options,
            Some(Login::Password { user, password }) => options.user_and_password(user.clone(), password.clone()),
            Some(Login::Token(token)) => options.token(token.clone()),
        }
    }
}

/// Shows no credentials.
impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Servers")
            .field("servers", &self.addresses.len())
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

impl Login {
    fn of(address: &ServerAddr) -> Result<Option<Self>, InvalidSetting> {
        let Some(user) = address.username() else {
            return match address.password() {
                None => Ok(None),
                Some(_) => Err(invalid("has a password and no user name")),
            };
        };
        let user = unescape(user)?;
        Ok(Some(match address.password() {
            Some(password) => Self::Password {
                user,
                password: unescape(password)?,
            },
            None => Self::Token(user),
        }))
    }
}

fn invalid(problem: &'static str) -> InvalidSetting {
    InvalidSetting::new("url", problem)
}

/// The text that `%41` and the like stand for.
fn unescape(text: &str) -> Result<String, InvalidSetting> {
    let broken =
        || invalid("has an escape in its credentials that can't be read; write each such byte as % and two digits");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digit = |at: usize| char::from(*rest.get(at)?).to_digit(16);
        let (high, low) = digit(0).zip(digit(1)).ok_or_else(broken)?;
        bytes.push((high * 16 + low) as u8);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| broken())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_taken_out_of_the_url() {
        let servers = Servers::parse("nats://u%40x:p%2Fw@one:4222, nats://two").unwrap();
        let password = Login::Password {
            user: "u@x".into(),
            password: "p/w".into(),
        };
        assert!(servers.login == Some(password) && !servers.tls);
        let shown: Vec<_> = servers.addresses.iter().map(|address| format!("{address:?}")).collect();
        assert!(
            shown
                .iter()
                .all(|text| !text.contains("p%2Fw") && !text.contains("p/w")),
            "{shown:?}"
        );
        assert_eq!(
            (servers.addresses[1].host(), servers.addresses[1].port()),
            ("two", 4222)
        );
        let servers = Servers::parse("tls://s3cr3t@[::1]:1,tls://two").unwrap();
        assert!(servers.login == Some(Login::Token("s3cr3t".into())) && servers.tls);
        assert!(!format!("{servers:?}").contains("s3cr3t"));
        assert!(!Servers::parse("nats://one").unwrap().has_login());
    }

    #[test]
    fn other_urls_are_refused_without_showing_them() {
        for url in [
            "",
            "nats://",
            "secret:4222",
            "http://secret",
            "ws://secret",
            "nats://secret/path",
            "nats://secret?tls=true",
            "nats://:secret@host",
            "nats://u:secret%4@host",
            "nats://u:%ffsecret@host",
            "nats://u:secret@host,nats://u:other@host",
            "nats://u:secret@host:99999",
            "nats://host,",
        ] {
            let error = Servers::parse(url).unwrap_err();
            assert_eq!(error.setting(), "url");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
