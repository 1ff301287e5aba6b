//! What a Permify knows: transactions, tuples, versions of schemas, and all that it has evaluated.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tower_zookie::protocol::permify::Engine;
use tower_zookie_testing::permify::database::{Database, Raw, Token};
use tower_zookie_testing::permify::messages::{DataChanges, WatchResponse};

/// A document and a user.
pub(crate) type What = (String, String);

pub(crate) struct Store {
    engine: Engine,
    pub(crate) database: Database,
    tenants: BTreeMap<String, Tenant>,
    held: Vec<Held>,
    pub(crate) commits: Vec<Commit>,
    pub(crate) evaluations: Vec<Evaluation>,
}

#[derive(Default)]
struct Tenant {
    writes: BTreeMap<u64, Write>,
    tokens: BTreeMap<u64, Token>,
    /// When which version of the schema was written after the first.
    schemas: Vec<Instant>,
    feeds: Vec<Feed>,
}

#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) tenant: String,
    pub(crate) what: What,
    pub(crate) views: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Commit {
    pub(crate) at: Instant,
    pub(crate) tenant: String,
    pub(crate) xid: u64,
}

/// A transaction under way.
struct Held {
    write: Write,
    xid: Option<u64>,
    replied: oneshot::Sender<String>,
}

struct Feed {
    after: u64,
    messages: mpsc::UnboundedSender<Vec<u8>>,
}

/// One answer to one question. Its reply says which it is, where Permify counts checks.
#[derive(Clone, Debug)]
pub(crate) struct Evaluation {
    pub(crate) at: Instant,
    pub(crate) tenant: String,
    pub(crate) what: What,
    pub(crate) version: usize,
    /// The token that it was asked at; `None` is head.
    pub(crate) asked_at: Option<Token>,
    /// All transactions that it saw, of every tenant.
    pub(crate) seen: BTreeSet<u64>,
    /// All transactions that it may see had ended.
    pub(crate) settled: bool,
    pub(crate) allowed: bool,
}

/// The state that a read is answered from.
#[derive(Clone, Debug)]
pub(crate) struct View {
    version: usize,
    asked_at: Option<Token>,
    seen: BTreeSet<u64>,
    settled: bool,
}

pub(crate) const SCHEMA_NOT_FOUND: (i32, &str) = (5, "ERROR_CODE_SCHEMA_NOT_FOUND");
pub(crate) const INTERNAL: (i32, &str) = (13, "ERROR_CODE_INTERNAL");

impl Store {
    pub(crate) fn new(engine: Engine) -> Self {
        Self {
            engine,
            database: Database::new(1000),
            tenants: ["t1", "t2"].map(|tenant| (tenant.to_owned(), Tenant::default())).into(),
            held: Vec::new(),
            commits: Vec::new(),
            evaluations: Vec::new(),
        }
    }

    fn tenant(&mut self, tenant: &str) -> Result<&mut Tenant, (i32, &'static str)> {
        self.tenants.get_mut(tenant).ok_or(SCHEMA_NOT_FOUND)
    }

    /// Begins a transaction. Its token comes once it has ended.
    pub(crate) fn begin(&mut self, write: Write) -> oneshot::Receiver<String> {
        let (replied, token) = oneshot::channel();
        self.database.begin();
        let xid = None;
        self.held.push(Held { write, xid, replied });
        token
    }

    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// Continues a held transaction: first it gets its number, then it is committed.
    pub(crate) fn advance(&mut self, which: usize) {
        match self.held[which].xid {
            None => {
                let begun = self.held[..which].iter().filter(|held| held.xid.is_none()).count();
                self.held[which].xid = Some(self.database.number(begun));
            }
            Some(xid) => {
                let held = self.held.remove(which);
                let token = self.commit(xid, held.write);
                let _ = held.replied.send(token);
            }
        }
    }

    /// Commits all that are held.
    pub(crate) fn end_all(&mut self) {
        while let Some(last) = self.held().checked_sub(1) {
            self.advance(last);
        }
    }

    fn commit(&mut self, xid: u64, write: Write) -> String {
        let token = self.database.commit(xid);
        self.commits.push(Commit {
            at: Instant::now(),
            tenant: write.tenant.clone(),
            xid,
        });
        // Permify accepts writes to a tenant that was never created.
        let tenant = self.tenants.entry(write.tenant.clone()).or_default();
        tenant.writes.insert(xid, write);
        tenant.tokens.insert(xid, token.clone());
        self.feed();
        match self.engine {
            Engine::Memory => legacy(1_700_000_000_000_000_000 + xid),
            _ => token.text(),
        }
    }

    /// Reports what is committed and below all that is in progress.
    fn feed(&mut self) {
        let below = self.database.snapshot().xmin;
        for Tenant { tokens, feeds, .. } in self.tenants.values_mut() {
            feeds.retain_mut(|feed| {
                let asked_at: Vec<u64> = tokens
                    .keys()
                    .copied()
                    .filter(|xid| (feed.after + 1..below).contains(xid))
                    .collect();
                asked_at.into_iter().all(|xid| {
                    feed.after = xid;
                    let snap_token = legacy(xid);
                    let changes = Some(DataChanges {
                        snap_token,
                        ..DataChanges::default()
                    });
                    feed.messages.send(WatchResponse { changes }.encode_to_vec()).is_ok()
                })
            });
        }
    }

    pub(crate) fn watch(&mut self, tenant: &str) -> Result<mpsc::UnboundedReceiver<Vec<u8>>, (i32, &'static str)> {
        let (messages, receiver) = mpsc::unbounded_channel();
        let tenant = self.tenant(tenant)?;
        let after = tenant.tokens.keys().last().copied().unwrap_or_default();
        tenant.feeds.push(Feed { after, messages });
        Ok(receiver)
    }

    pub(crate) fn break_feeds(&mut self) {
        self.tenants.values_mut().for_each(|tenant| tenant.feeds.clear());
    }

    pub(crate) fn write_schema(&mut self, tenant: &str) -> Result<String, (i32, &'static str)> {
        let schemas = &mut self.tenant(tenant)?.schemas;
        schemas.push(Instant::now());
        Ok(version(schemas.len()))
    }

    /// The latest version of a tenant's schema at an instant.
    pub(crate) fn latest(&self, tenant: &str, at: Instant) -> usize {
        let schemas = &self.tenants[tenant].schemas;
        schemas.iter().filter(|since| **since <= at).count()
    }

    pub(crate) fn view(&mut self, tenant: &str, pinned: &str, token: &str) -> Result<View, (i32, &'static str)> {
        let engine = self.engine;
        let of = self.tenant(tenant)?;
        let versions = 0..=of.schemas.len();
        let version = match pinned {
            "" => of.schemas.len(),
            pinned => versions
                .into_iter()
                .find(|nth| version(*nth) == pinned)
                .ok_or(SCHEMA_NOT_FOUND)?,
        };
        let head = of.tokens.values().last().cloned();
        let asked_at = match (token, engine) {
            ("", _) | (_, Engine::Memory) => None,
            (token, _) => Some(self.parse(token).ok_or(INTERNAL)?),
        };
        let committed = &self.database.committed;
        let (seen, settled) = match (asked_at.as_ref().or(head.as_ref()), engine) {
            (_, Engine::Memory) => (committed.clone(), false),
            (None, _) => (BTreeSet::new(), false),
            (Some(token), _) => (token.read(committed), self.is_settled(token)),
        };
        Ok(View {
            version,
            asked_at,
            seen,
            settled,
        })
    }

    fn is_settled(&self, token: &Token) -> bool {
        token.read(&self.database.unended(token.snapshot.xmax)).is_empty()
    }

    pub(crate) fn parse(&self, text: &str) -> Option<Token> {
        let bytes = STANDARD.decode(text).ok()?;
        if let Ok(xid) = <[u8; 8]>::try_from(&*bytes) {
            let xid = u64::from_le_bytes(xid);
            let known = self.tenants.values().find_map(|tenant| tenant.tokens.get(&xid));
            return Some(known.cloned().unwrap_or_else(|| Token::watched(xid)));
        }
        let text = String::from_utf8(bytes).ok()?;
        let parts: Vec<&str> = text.split(':').collect();
        let &[xid, xmin, xmax, list] = &*parts else { return None };
        let in_progress = list.split(',').map(|xid| xid.parse().ok()).collect::<Option<_>>()?;
        let snapshot = Raw {
            xmin: xmin.parse().ok()?,
            xmax: xmax.parse().ok()?,
            in_progress,
        };
        Some(Token::of(xid.parse().ok()?, snapshot))
    }

    /// Whether the store has named a token of this text by an instant: to a writer, or in a feed.
    pub(crate) fn has_named(&self, text: &str, by: Instant, feeds: bool) -> bool {
        let by_then = self.commits.iter().filter(|commit| commit.at <= by);
        let mut named = by_then.filter_map(|commit| self.tenants[&commit.tenant].tokens.get(&commit.xid));
        named.any(|token| token.text() == text || feeds && Token::watched(token.xid).text() == text)
    }

    /// Whether the user views the document, in what a snapshot sees.
    pub(crate) fn views(&self, tenant: &str, view: &View, what: &What) -> bool {
        let writes = self.tenants[tenant].writes.iter().rev();
        let mut seen = writes.filter(|(xid, write)| view.seen.contains(xid) && write.what == *what);
        seen.next().is_some_and(|(_, write)| write.views)
    }

    pub(crate) fn documents(&self, tenant: &str) -> BTreeSet<String> {
        let writes = self.tenants[tenant].writes.values();
        writes.map(|write| write.what.0.clone()).collect()
    }

    /// The answer, and its number.
    pub(crate) fn evaluate(&mut self, tenant: &str, view: &View, what: What) -> (bool, i32) {
        let allowed = self.views(tenant, view, &what);
        let View {
            version,
            asked_at,
            seen,
            settled,
        } = view.clone();
        self.evaluations.push(Evaluation {
            at: Instant::now(),
            tenant: tenant.to_owned(),
            what,
            version,
            asked_at,
            seen,
            settled,
            allowed,
        });
        (allowed, i32::try_from(self.evaluations.len()).unwrap())
    }
}

pub(crate) fn version(nth: usize) -> String {
    format!("v{nth}")
}

pub(crate) fn legacy(number: u64) -> String {
    STANDARD.encode(number.to_le_bytes())
}
