//! What honest callers send: a check or a bulk, with its consistency in the message or in the metadata.

use bytes::Bytes;
use prost::Message;
use tower_zookie_testing::frame::frame;
use tower_zookie_testing::grpc::Reply;
use tower_zookie_testing::spicedb::Client;
use tower_zookie_testing::spicedb::messages::{Consistency, bulk, check};

use crate::server::Server;

/// A check or a bulk.
pub(crate) struct Call {
    questions: Vec<(String, String)>,
    is_bulk: bool,
    consistency: Option<Consistency>,
}

impl Call {
    pub(crate) fn new(questions: &[(String, String)], is_bulk: bool, consistency: Option<Consistency>) -> Self {
        Self {
            questions: questions.to_vec(),
            is_bulk,
            consistency,
        }
    }

    fn method(&self) -> &'static str {
        if self.is_bulk {
            "PermissionsService/CheckBulkPermissions"
        } else {
            "PermissionsService/CheckPermission"
        }
    }

    fn body(&self) -> Bytes {
        let questions: Vec<_> = self
            .questions
            .iter()
            .map(|(document, user)| (&**document, &**user))
            .collect();
        frame(&match self.is_bulk {
            true => bulk(&questions, self.consistency.clone()).encode_to_vec(),
            false => check(questions[0].0, questions[0].1, self.consistency.clone()).encode_to_vec(),
        })
    }

    pub(crate) async fn send(mut self, client: Client, carried: bool) -> Reply {
        use tower_zookie_testing::spicedb::messages::Requirement::{
            AtExactSnapshot, AtLeastAsFresh, FullyConsistent, MinimizeLatency,
        };
        let requirement = self.consistency.clone().and_then(|consistency| consistency.requirement);
        let client = match requirement.filter(|_| carried) {
            Some(requirement) => {
                self.consistency = None;
                let with_consistency = |consistency| client.metadata("zookie-consistency", consistency);
                match &requirement {
                    MinimizeLatency(_) => with_consistency("minimize-latency"),
                    FullyConsistent(_) => with_consistency("fully-consistent"),
                    AtLeastAsFresh(token) => client.metadata("zookie", &token.token),
                    AtExactSnapshot(token) => with_consistency("at-exact-snapshot").metadata("zookie", &token.token),
                }
            }
            None => client,
        };
        client.send(self.method(), self.body()).await
    }

    pub(crate) async fn send_directly(self, server: Server) -> Reply {
        Client::direct(&server).send(self.method(), self.body()).await
    }
}
