//! The adversary, which wants others to get wrong answers: it sends any token, any consistency, bad credentials and odd
//! requests, and hangs up.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use proptest::prelude::*;
use proptest::sample::select;
use tokio::time::timeout;
use tower_zookie_testing::permify::Client;
use tower_zookie_testing::permify::database::{Raw, Token};
use tower_zookie_testing::permify::messages::Metadata;

use crate::api::{bulk, check};
use crate::bypass::{Bypass, bypass};
use crate::server::BAD_CREDENTIALS;
use crate::store::legacy;
use crate::world::{DOCUMENTS, Place, USERS};

#[derive(Clone, Debug)]
pub(crate) struct Forge {
    pub(crate) way: usize,
    pub(crate) tenant: usize,
    pub(crate) whats: Vec<(usize, usize)>,
    pub(crate) tokens: Vec<Forged>,
    consistency: Option<&'static str>,
    no_cache: bool,
    bad_credentials: bool,
    /// A write instead, of data or of a schema, which it may not make.
    writes: Option<bool>,
    bypass: Option<Bypass>,
    gives_up_after: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Forged {
    pub(crate) place: Place,
    pub(crate) forgery: Forgery,
    /// From which of the tokens that it has seen, by how many were issued since.
    pub(crate) since: usize,
    by: u64,
}

/// How it spells a token.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Forgery {
    Seen,
    Legacy,
    /// It sees transactions that were in progress, and those that began later.
    MoreThanSeen,
    /// Everything except the last write.
    LessThanSeen,
    /// Other transactions are in progress than in the store.
    ChangedList,
    Future,
    /// A time, as Permify uses it in memory.
    OtherEngine,
    LeadingZeros,
    Signs,
    Unpadded,
    Noop,
    Rubbish,
    Empty,
}

use Forgery::*;

pub(crate) const FORGERIES: [Forgery; 13] = [
    Seen,
    Legacy,
    MoreThanSeen,
    LessThanSeen,
    ChangedList,
    Future,
    OtherEngine,
    LeadingZeros,
    Signs,
    Unpadded,
    Noop,
    Rubbish,
    Empty,
];

pub(crate) const OTHER_CLASSES: [&str; 4] = [
    "adversary: bad credentials",
    "adversary: a write of data",
    "adversary: a write of a schema",
    "adversary: cut off",
];

impl Forgery {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Seen => "adversary: a token that it has seen",
            Legacy => "adversary: a legacy token",
            MoreThanSeen => "adversary: a snapshot that sees more",
            LessThanSeen => "adversary: a snapshot that sees less",
            ChangedList => "adversary: others in progress",
            Future => "adversary: a token of the future",
            OtherEngine => "adversary: a token of another engine",
            LeadingZeros => "adversary: leading zeros",
            Signs => "adversary: signs",
            Unpadded => "adversary: another base64",
            Noop => "adversary: a word for no token",
            Rubbish => "adversary: no token",
            Empty => "adversary: an empty token",
        }
    }

    fn text(self, seen: &Token, by: u64) -> String {
        let xid = seen.xid;
        let Raw {
            xmin,
            xmax,
            in_progress,
        } = seen.snapshot.clone();
        let of = |xid: u64, xmin: u64, xmax: u64, list: &[u64]| {
            let in_progress = list.iter().copied().collect();
            let snapshot = Raw {
                xmin,
                xmax,
                in_progress,
            };
            Token::of(xid, snapshot).text()
        };
        let list: Vec<u64> = in_progress.into_iter().collect();
        match self {
            Seen => seen.text(),
            Legacy => legacy(xid),
            MoreThanSeen => of(xid, xid, xmax + by, &[]),
            LessThanSeen => of(xid, xmin.min(xid - 1), xmax, &[&*list, &[xid - 1]].concat()),
            ChangedList => of(xid, xmin - by, xmax.max(xid + 1), &[xid - by.min(3)]),
            Future => of(xid + by, xid + by, xid + by + 1, &[]),
            OtherEngine => legacy(1_700_000_000_000_000_000 + xid),
            LeadingZeros => STANDARD.encode(format!("0{xid}:{xmin}:00{xmax}:{xid}")),
            Signs => STANDARD.encode(format!("+{xid}:+{xmin}:{xmax}:{xid}")),
            Unpadded => STANDARD_NO_PAD.encode(format!("{xid}:{xmin}:{xmax}:{xid}")),
            Noop => "noop".to_owned(),
            Rubbish => "cnViYmlzaA==".to_owned(),
            Empty => String::new(),
        }
    }
}

impl Forged {
    pub(crate) fn text(&self, seen: Option<&Token>) -> String {
        let nothing = Token::watched(1000);
        self.forgery.text(seen.unwrap_or(&nothing), self.by)
    }
}

impl Forge {
    /// Sends it, and records what occurred.
    pub(crate) async fn send(self, client: Client, tenant: &str, texts: Vec<(Place, String)>) -> Vec<String> {
        let mut notes: Vec<String> = self
            .tokens
            .iter()
            .map(|forged| forged.forgery.name().to_owned())
            .collect();
        notes.extend(self.bypass.map(|bypass| format!("adversary's {}", bypass.name())));
        notes.extend(self.bad_credentials.then(|| "adversary: bad credentials".to_owned()));
        notes.extend(self.writes.map(|schema| {
            let what = if schema { "a schema" } else { "data" };
            format!("adversary: a write of {what}")
        }));
        let sending = self.sent(client, tenant, texts);
        match self.gives_up_after {
            None => sending.await,
            Some(gives_up_after) => {
                if timeout(Duration::from_millis(gives_up_after), sending).await.is_err() {
                    notes.push("adversary: cut off".to_owned());
                }
            }
        }
        notes
    }

    async fn sent(&self, mut client: Client, tenant: &str, texts: Vec<(Place, String)>) {
        let mut in_message = String::new();
        for (place, text) in texts {
            match place {
                Place::Message => in_message = text,
                Place::Header => client = client.metadata("zookie", &text),
                Place::Cookie => client = client.cookie(&text),
            }
        }
        if let Some(consistency) = self.consistency {
            client = client.metadata("zookie-consistency", consistency);
        }
        if self.no_cache {
            client = client.metadata("cache-control", "no-cache");
        }
        if self.bad_credentials || self.writes.is_some() {
            client = client.metadata("authorization", BAD_CREDENTIALS);
        }
        let metadata = Some(Metadata {
            snap_token: in_message,
            depth: 20,
            ..Metadata::default()
        });
        let whats = self.whats.iter().map(|what| (DOCUMENTS[what.0], USERS[what.1]));
        let whats: Vec<_> = whats.collect();
        match (self.writes, &*whats) {
            (Some(true), _) => drop(client.try_write_schema(tenant).await),
            (Some(false), [(document, user), ..]) => drop(client.try_set(tenant, document, user).await),
            (_, [(document, user)]) => {
                let mut request = check(document, user, "");
                (request.tenant_id, request.metadata) = (tenant.to_owned(), metadata);
                self.ask(&client, "Permission/Check", &request).await;
            }
            (_, whats) => {
                let mut request = bulk(whats, "");
                (request.tenant_id, request.metadata) = (tenant.to_owned(), metadata);
                self.ask(&client, "Permission/BulkCheck", &request).await;
            }
        }
    }

    async fn ask(&self, client: &Client, method: &str, request: &impl prost::Message) {
        match self.bypass {
            None => drop(client.call(method, request).await),
            Some(bypass) => drop(bypass.send(client, method, request).await),
        }
    }
}

pub(crate) fn forge() -> impl Strategy<Value = Forge> {
    let consistencies = vec![
        "minimize-latency",
        "at-least-as-fresh",
        "at-exact-snapshot",
        "fully-consistent",
        "bounded-staleness=1ms",
        "fresh",
    ];
    let place = select(vec![Place::Message, Place::Message, Place::Header, Place::Cookie]);
    let forged =
        (place, select(FORGERIES.to_vec()), 0..4_usize, 1..8_u64).prop_map(|(place, forgery, since, by)| Forged {
            place,
            forgery,
            since,
            by,
        });
    let what = (0..DOCUMENTS.len(), 0..USERS.len());
    let whats = prop_oneof![
        3 => prop::collection::vec(what.clone(), 1),
        1 => prop::collection::vec(what, 2..4),
    ];
    (
        (0..2_usize, 0..2_usize, whats, prop::collection::vec(forged, 0..3)),
        prop::option::weighted(0.3, select(consistencies)),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.2),
        prop::option::weighted(0.06, any::<bool>()),
        prop::option::weighted(0.3, bypass()),
        prop::option::weighted(0.3, select(vec![0_u64, 1, 5, 15, 40])),
    )
        .prop_map(
            |((way, tenant, whats, tokens), consistency, no_cache, bad_credentials, writes, bypass, gives_up_after)| {
                Forge {
                    way,
                    tenant,
                    whats,
                    tokens,
                    consistency,
                    no_cache,
                    bad_credentials,
                    writes,
                    bypass,
                    gives_up_after,
                }
            },
        )
}
