//! What is compared.

/// How a check is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    /// `GET /check?…`, the token in a header.
    Routes,
    /// `POST /access/v1/evaluation`, the token in a header.
    AuthZen,
    /// SpiceDB's `CheckPermission`, the token in the message.
    SpiceDb,
}

/// What stands behind the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upstream {
    /// A handler that replies a constant.
    Static,
    /// A service on the embedded store.
    Near,
    /// The same, which waits for [`AWAY`](crate::serve::AWAY) first.
    Away,
}

/// Which questions are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// In the order of the recorded popularity sequence.
    Popular,
    /// A few questions, repeated: once their answers are stored, all are hits.
    Few,
    /// Each one once in a turn: all are misses.
    Distinct,
}

/// One server, and what it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) api: Api,
    pub(crate) upstream: Upstream,
    pub(crate) layered: bool,
    pub(crate) asked: Asked,
}

impl Api {
    pub(crate) fn setting(self) -> &'static str {
        match self {
            Self::Routes => "axum, Routes GET, HTTP/1.1",
            Self::AuthZen => "axum, AuthZEN POST, HTTP/1.1",
            Self::SpiceDb => "tonic, SpiceDB CheckPermission, HTTP/2",
        }
    }
}

impl Row {
    /// All rows. A child process gets its row's index in this list.
    pub(crate) fn all() -> Vec<Self> {
        let mut rows = Vec::new();
        for api in [Api::Routes, Api::AuthZen, Api::SpiceDb] {
            for (upstream, layered, asked) in [
                (Upstream::Static, false, Asked::Popular),
                (Upstream::Near, false, Asked::Popular),
                (Upstream::Near, true, Asked::Popular),
                (Upstream::Near, true, Asked::Few),
                (Upstream::Near, true, Asked::Distinct),
                (Upstream::Away, false, Asked::Popular),
                (Upstream::Away, true, Asked::Popular),
                (Upstream::Away, true, Asked::Distinct),
            ] {
                rows.push(Self {
                    api,
                    upstream,
                    layered,
                    asked,
                });
            }
        }
        rows
    }

    pub(crate) fn name(self) -> &'static str {
        match (self.upstream, self.layered, self.asked) {
            (Upstream::Static, ..) => "static handler",
            (Upstream::Near, false, _) => "service",
            (Upstream::Near, true, Asked::Popular) => "service, layer",
            (Upstream::Near, true, Asked::Few) => "service, layer, hits only",
            (Upstream::Near, true, Asked::Distinct) => "service, layer, misses only",
            (Upstream::Away, false, _) => "service 2 ms away",
            (Upstream::Away, true, Asked::Popular) => "service 2 ms away, layer",
            (Upstream::Away, true, Asked::Few) => "service 2 ms away, layer, hits only",
            (Upstream::Away, true, Asked::Distinct) => "service 2 ms away, layer, misses only",
        }
    }

    /// The row that replies a constant by the same API, if this one is no farther away.
    pub(crate) fn floor(self) -> Option<Self> {
        let floor = Self {
            upstream: Upstream::Static,
            layered: false,
            asked: Asked::Popular,
            ..self
        };
        (self.upstream == Upstream::Near).then_some(floor)
    }

    /// The same service without the layer, if this one has it.
    pub(crate) fn bare(self) -> Option<Self> {
        let bare = Self {
            layered: false,
            asked: Asked::Popular,
            ..self
        };
        self.layered.then_some(bare)
    }
}
