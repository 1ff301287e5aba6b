/// What the paths of a system begin with, and what they also have in them.
const PATHS: [(&str, &str, &str); 7] = [
    ("/authzed.api.v1.", "/", "SpiceDB"),
    ("/v1/permissions/", "check", "SpiceDB"),
    ("/base.v1.", "/", "Permify"),
    ("/v1/tenants/", "/permissions/", "Permify"),
    ("/openfga.v1.", "/", "OpenFGA"),
    ("/stores/", "/check", "OpenFGA"),
    ("/access/v1/", "evaluation", "AuthZEN"),
];

/// The authorization system that has such a path.
pub(crate) fn system_at(path: &str) -> Option<&'static str> {
    let is_known = |(beginning, part, _): &&(&str, &str, &str)| {
        path.strip_prefix(beginning).is_some_and(|rest| rest.contains(part))
    };
    PATHS.iter().find(is_known).map(|(_, _, system)| *system)
}
