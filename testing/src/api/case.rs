use std::fmt;

use bytes::Bytes;
use http::Request as HttpRequest;
use http::request::Parts;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tower_zookie::protocol::{Claim, Route};

use crate::api::permify::Permify;
use crate::api::spicedb::SpiceDb;
use crate::api::system::{Stated, System};
use crate::api::table::{Does, Operation};
use crate::api::{edit, json, proto};
use crate::frame::frame;

/// How the messages of a system travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Grpc,
    Json,
}

/// One system over one wire.
#[derive(Clone, Copy, Debug)]
pub struct Api {
    pub system: &'static dyn System,
    pub wire: Wire,
}

/// One operation of an API.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub api: Api,
    pub operation: &'static Operation,
}

/// All systems over all wires.
pub fn apis() -> Vec<Api> {
    [spicedb(), permify()].concat()
}

/// SpiceDB over gRPC and over HTTP.
pub fn spicedb() -> Vec<Api> {
    both(&SpiceDb)
}

/// Permify over gRPC and over HTTP.
pub fn permify() -> Vec<Api> {
    both(&Permify)
}

fn both(system: &'static dyn System) -> Vec<Api> {
    [Wire::Grpc, Wire::Json].map(|wire| Api { system, wire }).into()
}

/// All systems over one wire.
pub fn over(wire: Wire) -> Vec<Api> {
    apis().into_iter().filter(|api| api.wire == wire).collect()
}

/// The operations of these APIs that do one of these things.
pub fn cases(apis: Vec<Api>, does: &[Does]) -> Vec<Case> {
    apis.into_iter().flat_map(|api| api.of(does)).collect()
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.system.name(), self.wire)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.api, self.operation.grpc)
    }
}

impl Api {
    pub fn all(self) -> Vec<Case> {
        let operations = self.system.operations().iter();
        operations.map(|operation| Case { api: self, operation }).collect()
    }

    /// The operations that do one of these things.
    pub fn of(self, does: &[Does]) -> Vec<Case> {
        self.all()
            .into_iter()
            .filter(|case| does.contains(&case.operation.does))
            .collect()
    }

    pub fn check(self) -> Case {
        self.of(&[Does::Check])[0]
    }

    pub fn bulk(self) -> Case {
        self.of(&[Does::Bulk])[0]
    }

    /// The operation of this gRPC method.
    pub fn named(self, method: &str) -> Case {
        self.all()
            .into_iter()
            .find(|case| case.operation.grpc.ends_with(method))
            .unwrap()
    }

    /// May this user view this document?
    pub fn question(self, document: impl fmt::Display, user: &str) -> Value {
        self.system.question(&document.to_string(), user)
    }

    /// The message of a check: May this user view this document?
    pub fn checking(self, document: impl fmt::Display, user: &str) -> Value {
        merged(self.system.beside(self.wire), self.question(document, user))
    }

    /// The message of a bulk: May alice view these documents?
    pub fn checking_all(self, documents: &[usize]) -> Value {
        let items: Vec<Value> = documents
            .iter()
            .map(|document| self.question(document, "alice"))
            .collect();
        self.bulk_of(&items)
    }

    pub fn bulk_of(self, items: &[Value]) -> Value {
        merged(self.system.beside(self.wire), json!({ "items": items }))
    }

    pub fn claim(self, parts: &Parts) -> Claim {
        self.system.protocol().claim(&parts.method, &parts.uri, &parts.headers)
    }

    pub fn content_type(self) -> &'static str {
        match self.wire {
            Wire::Grpc => "application/grpc",
            Wire::Json => "application/json",
        }
    }

    /// The parts of a request with this method and path.
    pub fn parts(self, method: &str, path: &str) -> Parts {
        let request = HttpRequest::builder().method(method).uri(path);
        let request = request.header("content-type", self.content_type());
        request.body(()).unwrap().into_parts().0
    }
}

impl Case {
    pub fn does(self) -> Does {
        self.operation.does
    }

    pub fn path(self) -> String {
        let [grpc, http] = self.api.system.prefixes();
        match self.api.wire {
            Wire::Grpc => format!("{grpc}{}", self.operation.grpc),
            Wire::Json => format!("{http}{}", self.operation.http.split_once(' ').unwrap().1),
        }
    }

    pub fn method(self) -> &'static str {
        match self.api.wire {
            Wire::Grpc => "POST",
            Wire::Json => self.operation.http.split_once(' ').unwrap().0,
        }
    }

    pub fn parts(self) -> Parts {
        self.api.parts(self.method(), &self.path())
    }

    pub fn claim(self) -> Claim {
        self.api.claim(&self.parts())
    }

    pub fn route(self) -> Route {
        match self.claim() {
            Claim::Parts(route) | Claim::Body(route) | Claim::Floor(route) => route,
            _ => panic!("{self} passes"),
        }
    }

    /// A message: May alice view the plan, or the documents 0 and 1?
    pub fn message(self) -> Value {
        let api = self.api;
        match self.does() {
            Does::Check => api.checking("plan", "alice"),
            Does::Expand => edit::without(&api.checking("plan", "alice"), "/subject"),
            Does::Bulk => api.checking_all(&[0, 1]),
            Does::Write | Does::WriteSchema | Does::Import => json!({}),
            Does::Read | Does::ReadStream | Does::List | Does::ReadHead => {
                let mut message = api.system.beside(api.wire);
                // The metadata of listings has nothing but a token.
                message
                    .as_object_mut()
                    .unwrap()
                    .entry("metadata")
                    .and_modify(|metadata| *metadata = json!({}));
                message
            }
        }
    }

    /// A message with all fields of a question.
    pub fn everything(self) -> Value {
        self.api.system.everything(self.does(), self.api.wire)
    }

    /// The message with this freshness.
    pub fn stating(self, message: &Value, stated: Stated) -> Value {
        match self.api.system.stated(stated) {
            Some(value) => edit::with(message, self.api.system.freshness(), value),
            None => message.clone(),
        }
    }

    /// The message with this freshness that has a token.
    pub fn with_token(self, message: &Value) -> Value {
        self.stating(message, *self.api.system.states().last().unwrap())
    }

    /// The members that make the request one for a page, each with a value that does so.
    pub fn pages(self) -> Vec<(&'static str, Value)> {
        let cursor = ("optionalCursor", json!({"token": "c"}));
        let limits = [("optionalLimit", json!(10)), ("optionalConcreteLimit", json!(1))];
        let pages = limits.into_iter().chain([cursor, ("continuous_token", json!("c"))]);
        pages
            .filter(|(member, _)| self.operation.asks.iter().any(|field| field.1 == *member))
            .collect()
    }

    /// The body of a message.
    pub fn body(self, message: &Value) -> Bytes {
        let members = message.as_object().unwrap();
        match self.api.wire {
            Wire::Grpc => frame(&proto::encode(self.operation.asks, members, &mut None)),
            Wire::Json => json::text(self.operation.asks, members, ",").into(),
        }
    }

    /// One of the many bodies of a message.
    pub fn respelled(self, message: &Value, seed: u64) -> Bytes {
        let mut chance = StdRng::seed_from_u64(seed);
        let members = message.as_object().unwrap();
        match self.api.wire {
            Wire::Grpc => frame(&proto::encode(self.operation.asks, members, &mut Some(chance))),
            Wire::Json => json::respelled(message, &mut chance).into(),
        }
    }
}

fn merged(mut message: Value, mut more: Value) -> Value {
    message.as_object_mut().unwrap().append(more.as_object_mut().unwrap());
    message
}
