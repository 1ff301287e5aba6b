//! The adversary, which wants others to get wrong answers: it sends any token, any consistency, bad credentials and odd
//! requests, and hangs up.

use std::time::Duration;

use axum::extract::Request;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use tokio::time::timeout;
use tower::ServiceExt;

use crate::bypass::{self, Bypass, with_header};
use crate::plan::{Form, Place, form, place};
use crate::requests::{Parts, request};
use crate::schema::question;
use crate::world::World;

/// The credentials that the service rejects.
pub(crate) const BAD_CREDENTIALS: &str = "Bearer mallory";

#[derive(Clone, Debug)]
pub(crate) struct Forge {
    form: Form,
    questions: Vec<u8>,
    consistency: Option<&'static str>,
    tokens: Vec<(Place, Forgery, u8)>,
    no_cache: bool,
    bad_credentials: bool,
    /// A write instead, which it may not make.
    writes: bool,
    bypass: Option<usize>,
    gives_up_after: Option<Duration>,
}

/// How it spells a token, made from a revision that it has seen.
#[derive(Clone, Copy, Debug)]
enum Forgery {
    /// As the store spells it.
    Seen,
    Future,
    OrderOfMembers,
    Whitespace,
    /// The clock names another node, which it does not know.
    NothingOfAnother,
    /// The clock knows of another node too.
    MoreNodes,
    /// The clock of another node that knows this one's future.
    AnotherNode,
    UrlSafe,
    OtherStore,
    Rubbish,
    Empty,
}

use Forgery::*;

const FORGERIES: [Forgery; 11] = [
    Seen,
    Future,
    OrderOfMembers,
    Whitespace,
    NothingOfAnother,
    MoreNodes,
    AnotherNode,
    UrlSafe,
    OtherStore,
    Rubbish,
    Empty,
];

const CONSISTENCIES: [&str; 6] = [
    "minimize-latency",
    "at-least-as-fresh",
    "at-exact-snapshot",
    "fully-consistent",
    "bounded-staleness=1ms",
    "fresh",
];

pub(crate) fn forge() -> impl Strategy<Value = Forge> {
    let gives_up_after = select(vec![0_u64, 0, 1, 40, 60, 500]).prop_map(Duration::from_millis);
    (
        (
            form(),
            vec(0..8_u8, 2..5),
            weighted(0.5, select(CONSISTENCIES.to_vec())),
        ),
        vec((place(), select(FORGERIES.to_vec()), any::<u8>()), 0..4),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.05),
        weighted(0.4, bypass::bypass()),
        weighted(0.3, gives_up_after),
    )
        .prop_map(
            |((form, questions, consistency), tokens, no_cache, bad_credentials, writes, bypass, gives_up_after)| {
                Forge {
                    form,
                    questions,
                    consistency,
                    tokens,
                    no_cache,
                    bad_credentials,
                    writes,
                    bypass,
                    gives_up_after,
                }
            },
        )
}

impl Forgery {
    fn name(self) -> &'static str {
        match self {
            Seen => "adversary: a token that it has seen",
            Future => "adversary: a token of the future",
            OrderOfMembers => "adversary: members in another order",
            Whitespace => "adversary: whitespace",
            NothingOfAnother => "adversary: a clock with a zero",
            MoreNodes => "adversary: a clock of more nodes",
            AnotherNode => "adversary: a clock of another node",
            UrlSafe => "adversary: another base64",
            OtherStore => "adversary: a token of another store",
            Rubbish => "adversary: no token",
            Empty => "adversary: an empty token",
        }
    }

    fn text(self, node: &str, revision: u64) -> String {
        let token = |node: &str, revision: u64, clock: &str| {
            format!(r#"{{"node_id":"{node}","revision":{revision},"vector_clock":{{{clock}}}}}"#)
        };
        let own = format!(r#""{node}":{revision}"#);
        STANDARD.encode(match self {
            Seen | Future => token(node, revision, &own),
            OrderOfMembers => {
                format!(r#"{{"vector_clock":{{{own}}},"revision":{revision},"node_id":"{node}"}}"#)
            }
            Whitespace => token(node, revision, &own).replace(':', " : ").replace(',', ",\n"),
            NothingOfAnother => token(node, revision, &format!(r#"{own},"zz":0"#)),
            MoreNodes => token(node, revision, &format!(r#"{own},"zz":3"#)),
            AnotherNode => token("zz", 3, &format!(r#"{own},"zz":3"#)),
            UrlSafe => return URL_SAFE_NO_PAD.encode(token(node, revision, &own)),
            OtherStore => token("zz", revision, &format!(r#""zz":{revision}"#)),
            Rubbish => return "cnViYmlzaA".to_owned(),
            Empty => return String::new(),
        })
    }
}

impl World {
    pub(crate) async fn forge(&self, forge: &Forge) {
        let request = self.forged(forge);
        let bypass = forge.bypass.map(|number| Bypass::of(number, forge.form.posts()));
        let mut notes: Vec<String> = forge
            .tokens
            .iter()
            .map(|(_, forgery, _)| forgery.name().to_owned())
            .collect();
        notes.extend(bypass.map(|bypass| format!("adversary's {}", bypass.name())));
        notes.extend(forge.bad_credentials.then(|| "adversary: bad credentials".to_owned()));
        notes.extend(forge.writes.then(|| "adversary: a write".to_owned()));
        notes.push("adversary: all requests".to_owned());
        let sending = async {
            let Ok(reply) = self.service().oneshot(request).await;
            // Read to its end, as any client does.
            let _ = http_body_util::BodyExt::collect(reply.into_body()).await;
        };
        match forge.gives_up_after {
            None => sending.await,
            Some(gives_up_after) => {
                if timeout(gives_up_after, sending).await.is_err() {
                    notes.push("adversary: cut off".to_owned());
                }
            }
        }
        self.note(notes);
    }

    fn forged(&self, forge: &Forge) -> Request {
        let head = self.store.current_revision();
        let tokens = forge.tokens.iter().map(|&(place, forgery, number)| {
            let revision = match forgery {
                Future => head + 1 + u64::from(number % 4),
                _ => head - u64::from(number) % head.min(4),
            };
            (place, forgery.text(self.store.node_id(), revision))
        });
        let request = request(Parts {
            form: forge.form,
            questions: forge.questions.iter().map(|number| question(*number)).collect(),
            consistency: forge.consistency.map(str::to_owned),
            no_cache: forge.no_cache,
            tokens: tokens.collect(),
            bypass: forge.bypass.map(|number| Bypass::of(number, forge.form.posts())),
        });
        let mut request = request;
        if forge.writes {
            *request.method_mut() = axum::http::Method::POST;
            *request.uri_mut() = "/relationships".parse().expect("a path");
        }
        if forge.bad_credentials || forge.writes {
            request = with_header(request, "authorization", BAD_CREDENTIALS);
        }
        request
    }
}
