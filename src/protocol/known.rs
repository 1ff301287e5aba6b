/// Beginnings of paths by which a system is recognised.
const BEGINNINGS: [(&str, &str); 9] = [
    ("/authzed.api.v1.", "SpiceDB"),
    ("/v1/permissions/", "SpiceDB"),
    ("/v1/relationships/", "SpiceDB"),
    ("/base.v1.", "Permify"),
    ("/v1/tenants/", "Permify"),
    ("/openfga.v1.", "OpenFGA"),
    ("/access/v1/", "AuthZEN"),
    ("/keto.", "Ory Keto"),
    ("/relation-tuples", "Ory Keto"),
];

/// The authorization system that has such a path.
pub(crate) fn system_at(path: &str) -> Option<&'static str> {
    let known = BEGINNINGS.iter().find(|(beginning, _)| path.starts_with(beginning));
    known.map(|(_, system)| *system)
}
